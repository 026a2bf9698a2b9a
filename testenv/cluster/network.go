//go:build linux

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// Addresses inside of the cluster's network.
const (
	nodeName       = "serin"
	nodeAddress    = "192.168.77.1"
	podRange       = "10.244.0.0/16"
	serviceRange   = "10.96.0.0/16"
	dnsAddress     = "10.96.0.10"
	ingressAddress = "10.96.0.80"
	gateway        = ingressAddress + ":80"
)

// links is what the network has. A pair of connected interfaces, both here,
// holds the node's address: a kernel need not have dummy ones. Services need a
// route before kube-proxy can rewrite their addresses. Everything else is
// refused at once: a network that only swallows would make pulls hang.
const links = `
link set lo up
link add node0 type veth peer name node1
link set node0 up
link set node1 up
addr add ` + nodeAddress + `/24 dev node0
route add ` + serviceRange + ` dev node0
route add unreachable default
`

func makeNetwork() error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(links)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the network: %w: %s", err, out)
	}
	return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
}
