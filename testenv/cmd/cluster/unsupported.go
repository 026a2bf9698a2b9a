//go:build !linux

// Command cluster needs Linux.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "cluster: a cluster of one's own needs Linux; the end-to-end suite runs against any other with E2E_KUBECONFIG")
	os.Exit(1)
}
