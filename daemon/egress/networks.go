package egress

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseNetworks reads networks in CIDR notation. An address alone is a network
// of one, and a mapped IPv4 network is that IPv4 network.
func ParseNetworks(texts []string) ([]netip.Prefix, error) {
	var networks []netip.Prefix
	for _, text := range texts {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		networks = append(networks, network)
	}
	return networks, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, err := netip.ParseAddr(text)
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, notNetwork(text)
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, notNetwork(text)
	}
	if mapped := 96; network.Addr().Is4In6() && network.Bits() >= mapped {
		network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mapped)
	}
	return network.Masked(), nil
}

func notNetwork(text string) error {
	return fmt.Errorf("network %q must be in CIDR notation, such as 10.0.0.0/8", text)
}
