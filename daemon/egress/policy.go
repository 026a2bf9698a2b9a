package egress

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Policy says which addresses may be connected to. The zero Policy refuses all
// that is refused by default.
type Policy struct {
	// Own are the ports that the daemon listens on. On an address of this
	// machine they are refused, whatever Allow says.
	Own []uint16
	// Deny are networks that are refused as well.
	Deny []netip.Prefix
	// Allow are networks that may be reached although they are refused by
	// default.
	Allow []netip.Prefix
	// Addresses returns the addresses of this machine; nil to ask the system
	// each time, as pods get and lose addresses.
	Addresses func() ([]net.Addr, error)
	// Resolver looks names up; nil for the system's.
	Resolver *net.Resolver
}

// Refusal is the error for an address that may not be connected to.
type Refusal struct {
	// Address is the IP address and port.
	Address string
	// Host is the name that led there; empty for none.
	Host string
	// Reason is the end of a sentence.
	Reason string
}

// Error says what was refused and why.
func (r *Refusal) Error() string {
	what := r.Address
	if r.Host != "" {
		what += " (" + r.Host + ")"
	}
	return fmt.Sprintf("refused to connect to %s: %s", what, r.Reason)
}

// check returns why an address may not be connected to, empty where it may.
// what is the plural of those who ask.
func (p Policy) check(at netip.AddrPort, what string) string {
	address := at.Addr().WithZone("").Unmap()
	meanings := append([]netip.Addr{address}, embedded(address)...)
	for _, ip := range meanings {
		if slices.Contains(p.Own, at.Port()) && p.isHere(ip) {
			return "the daemon itself listens there"
		}
	}
	for _, ip := range meanings {
		if network, ok := find(p.Deny, ip); ok {
			return fmt.Sprintf("%s is denied by --deny-target", network)
		}
	}
	for _, ip := range meanings {
		if _, ok := find(p.Allow, ip); ok {
			continue
		}
		if kind := kindOf(ip); kind != "" {
			return fmt.Sprintf("%s addresses are not allowed for %s", kind, what)
		}
	}
	return ""
}

// isHere reports whether an address is this machine's. Where the system does
// not tell its addresses, any may be.
func (p Policy) isHere(ip netip.Addr) bool {
	if ip.IsLoopback() || zeroNetwork.Contains(ip) || ip.IsUnspecified() {
		return true
	}
	addresses := net.InterfaceAddrs
	if p.Addresses != nil {
		addresses = p.Addresses
	}
	all, err := addresses()
	if err != nil {
		return true
	}
	return slices.ContainsFunc(all, func(a net.Addr) bool {
		network, ok := a.(*net.IPNet)
		if !ok {
			return false
		}
		own, ok := netip.AddrFromSlice(network.IP)
		return ok && own.Unmap() == ip
	})
}

func find(networks []netip.Prefix, ip netip.Addr) (netip.Prefix, bool) {
	for _, n := range networks {
		if n.Contains(ip) {
			return n, true
		}
	}
	return netip.Prefix{}, false
}
