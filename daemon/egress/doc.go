// Package egress says where the daemon may connect to when somebody else names
// the address: the URL of a hook or an AlertProvider, its proxy, the target of a
// load. The daemon takes whoever reaches it over loopback for somebody inside
// its pod, so an address that leads back to it would lend its rights to everybody
// who may write a Canary.
//
//	policy := egress.Policy{Own: []uint16{8080, 8081}}
//	dialer := policy.Dialer("hooks")
//	transport.DialContext = dialer.DialContext
//	transport.Proxy = dialer.Proxy(http.ProxyFromEnvironment)
//
//	// refused to connect to 127.0.0.1:8080 (localhost): loopback addresses are
//	// not allowed for hooks
//
// The address is checked after the name has been resolved, on the socket that is
// about to connect. A name that means another address a moment later, one with
// several addresses, and one that is written in a strange way are all checked as
// what they lead to.
//
// The rules, in their order:
//
//  1. The daemon's own ports on this machine's addresses are refused, always.
//  2. Networks in Deny are refused.
//  3. Networks in Allow are allowed.
//  4. Loopback, unspecified, link-local, multicast and broadcast addresses, and
//     those of the metadata services of clouds, are refused.
//  5. Everything else is allowed.
//
// An IPv6 address that stands for an IPv4 address (mapped, compatible, NAT64 or
// 6to4) is checked as both.
//
// It does not follow what happens behind the address: a Service of Kubernetes
// that leads to the daemon's pod, or a proxy elsewhere, is reached from outside,
// and has no more rights than any other client.
//
// A Policy is a plain value. It and its Dialers may be used concurrently.
package egress
