package egress

import (
	"net/netip"
	"slices"
)

// zeroNetwork is "this host on this network" (RFC 1122, section 3.2.1.3), which
// Linux takes for loopback where it is 0.0.0.0.
var zeroNetwork = netip.MustParsePrefix("0.0.0.0/8")

// metadata are the addresses at which clouds tell the machine's secrets, outside
// of the link-local networks.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("100.100.100.200/32"),  // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),    // Azure
	netip.MustParsePrefix("192.0.0.192/32"),      // Oracle Cloud, classic
	netip.MustParsePrefix("fd00:ec2::/32"),       // AWS: ::254, and ::23 for the identities of pods
	netip.MustParsePrefix("fd20:ce::254/128"),    // Google Cloud
	netip.MustParsePrefix("fd00:42::42/128"),     // Scaleway
	netip.MustParsePrefix("fd00:c1::a9fe:0/112"), // Oracle Cloud
}

// kindOf names the kind of an address that is refused by default, empty for one
// that is not. IPv4 must not be mapped to IPv6.
func kindOf(ip netip.Addr) string {
	_, isMetadata := find(metadata, ip)
	switch {
	case ip.IsLoopback():
		return "loopback"
	case ip.IsUnspecified(), zeroNetwork.Contains(ip):
		return "unspecified"
	case ip.IsLinkLocalUnicast():
		return "link-local"
	case isMetadata:
		return "metadata service"
	case ip.IsMulticast():
		return "multicast"
	case ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "broadcast"
	}
	return ""
}

// translations are the networks of IPv6 addresses that hold an IPv4 address.
var translations = []struct {
	network netip.Prefix
	bytes   [4]int // where it is
}{
	{netip.MustParsePrefix("::/96"), [4]int{12, 13, 14, 15}},          // IPv4-compatible (RFC 4291, section 2.5.5.1)
	{netip.MustParsePrefix("64:ff9b::/96"), [4]int{12, 13, 14, 15}},   // NAT64 (RFC 6052)
	{netip.MustParsePrefix("64:ff9b:1::/48"), [4]int{12, 13, 14, 15}}, // a network's own NAT64 (RFC 8215), with /96
	{netip.MustParsePrefix("64:ff9b:1::/48"), [4]int{6, 7, 9, 10}},    // and with /48 (RFC 6052, section 2.2)
	{netip.MustParsePrefix("2002::/16"), [4]int{2, 3, 4, 5}},          // 6to4 (RFC 3056)
}

// embedded are the IPv4 addresses that an IPv6 address may stand for. Those of
// zeroNetwork are left out: they stand for nothing, and are what the wrong one of
// two translations finds.
func embedded(ip netip.Addr) (v4 []netip.Addr) {
	if !ip.Is6() || ip.IsUnspecified() || ip.IsLoopback() {
		return nil
	}
	all := ip.As16()
	for _, t := range translations {
		if !t.network.Contains(ip) {
			continue
		}
		var four [4]byte
		for i, at := range t.bytes {
			four[i] = all[at]
		}
		if one := netip.AddrFrom4(four); !zeroNetwork.Contains(one) && !slices.Contains(v4, one) {
			v4 = append(v4, one)
		}
	}
	return v4
}
