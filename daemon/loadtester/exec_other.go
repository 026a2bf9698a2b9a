//go:build !unix

package loadtester

import "os/exec"

// canExec is false where there are no process groups.
const canExec = false

func inGroup(*exec.Cmd) {}

func endGroup(*exec.Cmd) {}
