//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// needed are the programs that are not built, by the package of Debian that has
// them.
var needed = map[string][]string{
	"containerd":                  {"containerd", "containerd-shim-runc-v2", "ctr"},
	"runc":                        {"runc"},
	"containernetworking-plugins": {cniPlugins + "/bridge", cniPlugins + "/host-local", cniPlugins + "/loopback", cniPlugins + "/portmap"},
	"iproute2":                    {"ip"},
	"iptables":                    {"iptables", "iptables-restore"},
	"mount":                       {"mount", "umount"},
}

// cniPlugins is where Debian has them.
const cniPlugins = "/usr/lib/cni"

// checkMachine says what is missing for a cluster.
func checkMachine() error {
	if os.Geteuid() != 0 {
		return errors.New("a cluster needs root: it makes namespaces and cgroups")
	}
	var packages []string
	for name, programs := range needed {
		for _, program := range programs {
			if _, err := exec.LookPath(program); err != nil {
				packages = append(packages, name)
				break
			}
		}
	}
	if len(packages) > 0 {
		slices.Sort(packages)
		return fmt.Errorf("programs are missing; on Debian: apt-get install --no-install-recommends %s", strings.Join(packages, " "))
	}
	return nil
}
