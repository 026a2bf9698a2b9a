package egress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/serin-dev/serin/daemon/egress"
	"github.com/serin-dev/serin/daemon/egress/egresstest"
)

// ownAddress is a pod's, for policies that are not to ask this machine.
func ownAddress() ([]net.Addr, error) {
	return []net.Addr{
		&net.IPNet{IP: net.ParseIP("10.1.2.3"), Mask: net.CIDRMask(24, 32)},
		&net.IPNet{IP: net.ParseIP("fd12::3"), Mask: net.CIDRMask(64, 128)},
	}, nil
}

func networks(t *testing.T, texts ...string) []netip.Prefix {
	t.Helper()
	all, err := egress.ParseNetworks(texts)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// Each address, its port and what is said of it, empty for an allowed one.
func TestAddresses(t *testing.T) {
	dialer := egress.Policy{Own: []uint16{8080, 8081}, Addresses: ownAddress}.Dialer("hooks")
	for address, want := range map[string]string{
		"93.184.216.34:80":       "",
		"10.96.0.1:443":          "",
		"10.1.2.4:8080":          "",
		"10.1.2.3:9090":          "",
		"[2606:2800::1]:443":     "",
		"[fd12::4]:8080":         "",
		"240.0.0.1:80":           "",
		"1.0.0.0:80":             "",
		"169.255.0.0:80":         "",
		"128.0.0.0:80":           "",
		"[fec0::1]:80":           "",
		"[64:ff9b:1::808:808]:1": "",
		"[64:ff9b::808:808]:1":   "",

		"10.1.2.3:8080":               "the daemon itself",
		"10.1.2.3:8081":               "the daemon itself",
		"[fd12::3]:8080":              "the daemon itself",
		"[::ffff:10.1.2.3]:8080":      "the daemon itself",
		"[64:ff9b::a01:203]:8080":     "the daemon itself",
		"127.0.0.1:8080":              "the daemon itself",
		"0.0.0.0:8081":                "the daemon itself",
		"[::]:8080":                   "the daemon itself",
		"[::1]:8080":                  "the daemon itself",
		"127.0.0.1:80":                "loopback",
		"127.255.255.254:80":          "loopback",
		"[::1]:80":                    "loopback",
		"[::1%lo]:80":                 "loopback",
		"[::ffff:127.0.0.1]:80":       "loopback",
		"[::7f00:1]:80":               "loopback",
		"[64:ff9b::7f00:1]:80":        "loopback",
		"[64:ff9b:1::7f00:1]:80":      "loopback",
		"[64:ff9b:1:7f00:0:100::]:80": "loopback",
		"[2002:7f00:1::]:80":          "loopback",
		"0.0.0.0:80":                  "unspecified",
		"0.1.2.3:80":                  "unspecified",
		"[::]:80":                     "unspecified",
		"[::ffff:0.0.0.0]:80":         "unspecified",
		"169.254.169.254:80":          "link-local",
		"169.254.0.0:80":              "link-local",
		"[64:ff9b::a9fe:a9fe]:80":     "link-local",
		"[2002:a9fe:a9fe::1]:80":      "link-local",
		"[fe80::1]:80":                "link-local",
		"[fe80::1%lo]:80":             "link-local",
		"[febf::1%eth0]:80":           "link-local",
		"[fd00:ec2::254]:80":          "metadata service",
		"[fd00:ec2::23]:80":           "metadata service",
		"[fd20:ce::254]:80":           "metadata service",
		"100.100.100.200:80":          "metadata service",
		"168.63.129.16:80":            "metadata service",
		"192.0.0.192:80":              "metadata service",
		"[::ffff:100.100.100.200]:80": "metadata service",
		"224.0.0.1:80":                "multicast",
		"239.255.255.255:80":          "multicast",
		"[ff02::1%lo]:80":             "multicast",
		"255.255.255.255:80":          "broadcast",
		"localhost:80":                "no address",
	} {
		err := dialer.Control("tcp", address, nil)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

func TestDenyGoesBeforeAllowAndTheDaemonItselfBeforeBoth(t *testing.T) {
	dialer := egress.Policy{
		Own: []uint16{8080}, Addresses: ownAddress,
		Allow: networks(t, "127.0.0.0/8", "::ffff:169.254.0.0/112", "10.0.0.0/8", "::1"),
		Deny:  networks(t, "127.0.0.2/32", "10.9.0.0/16", "192.0.2.7", "64:ff9b::/96"),
	}.Dialer("hooks")
	for address, want := range map[string]string{
		"127.0.0.1:80":          "",
		"[::1]:80":              "",
		"[::ffff:127.0.0.1]:80": "",
		"[2002:7f00:1::]:80":    "",
		"169.254.1.1:80":        "",
		"10.8.0.1:8080":         "",
		"127.0.0.1:8080":        "the daemon itself listens there",
		"[2002:7f00:1::]:8080":  "the daemon itself listens there",
		"10.1.2.3:8080":         "the daemon itself listens there",
		"127.0.0.2:80":          "127.0.0.2/32 is denied by --deny-target",
		"10.9.1.1:80":           "10.9.0.0/16 is denied by --deny-target",
		"[::ffff:10.9.1.1]:80":  "10.9.0.0/16 is denied by --deny-target",
		"192.0.2.7:80":          "192.0.2.7/32 is denied by --deny-target",
		"[64:ff9b::808:808]:80": "64:ff9b::/96 is denied by --deny-target",
		"0.0.0.0:80":            "unspecified addresses are not allowed for hooks",
	} {
		err := dialer.Control("tcp", address, nil)
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}

func TestUnknownOwnAddressesAreRefusedByTheirPort(t *testing.T) {
	dialer := egress.Policy{Own: []uint16{8080}, Addresses: func() ([]net.Addr, error) { return nil, errors.New("no") }}.Dialer("hooks")
	if err := dialer.Control("tcp", "192.0.2.1:8080", nil); err == nil {
		t.Error("allowed")
	}
	if err := dialer.Control("tcp", "192.0.2.1:8088", nil); err != nil {
		t.Error(err)
	}
}

// The addresses of this machine are asked for where nobody says them.
func TestOwnAddressesAreThoseOfThisMachine(t *testing.T) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	dialer := egress.Policy{Own: []uint16{8080}}.Dialer("hooks")
	for _, a := range all {
		ip, _, err := net.ParseCIDR(a.String())
		if err != nil {
			t.Fatal(err)
		}
		if err := dialer.Control("tcp", net.JoinHostPort(ip.String(), "8080"), nil); err == nil || !strings.Contains(err.Error(), "the daemon itself") {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

func TestNetworks(t *testing.T) {
	for _, text := range []string{"", "10.0.0.0/33", "localhost", "10.0.0.0/8,11.0.0.0/8", "fe80::1%lo", "/8", "10.0.0/8"} {
		if all, err := egress.ParseNetworks([]string{text}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q must be in CIDR notation", text)) {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
	if got := fmt.Sprint(networks(t, "10.1.2.3/8", "::1", "::ffff:10.0.0.0/104", "fd00::/8")); got != "[10.0.0.0/8 ::1/128 10.0.0.0/8 fd00::/8]" {
		t.Error(got)
	}
}

// target is a server on 127.0.0.1 that counts its requests.
type target struct {
	*httptest.Server
	asked atomic.Int64
	port  string
}

func serve(t *testing.T) *target {
	t.Helper()
	s := new(target)
	s.Server = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { s.asked.Add(1) }))
	t.Cleanup(s.Close)
	_, s.port, _ = net.SplitHostPort(s.Listener.Addr().String())
	return s
}

// get asks for a URL with a transport like that of hooks.
func get(t *testing.T, dialer *egress.Dialer, target string, proxy *url.URL) error {
	t.Helper()
	transport := &http.Transport{DialContext: dialer.DialContext, Proxy: dialer.Proxy(http.ProxyURL(proxy))}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body)
	return response.Body.Close()
}

// names are those of a resolver for tests.
func names(host string, lookup int) []string {
	switch host {
	case "inside.example":
		return []string{"127.0.0.1"}
	case "inside6.example":
		return []string{"::1"}
	case "several.example":
		return []string{"127.0.0.2", "127.0.0.1"}
	case "changing.example": // to what is allowed, then to what is not
		if lookup == 1 {
			return []string{"127.0.0.2"}
		}
		return []string{"127.0.0.1"}
	case "outside.example":
		return []string{"127.0.0.2"}
	}
	return nil
}

func TestHostsThatLeadToLoopback(t *testing.T) {
	s := serve(t)
	policy := egress.Policy{Resolver: egresstest.Resolver(names), Allow: networks(t, "127.0.0.2")}
	dialer := policy.Dialer("hooks")
	refused := "refused to connect to 127.0.0.1:" + s.port
	for host, want := range map[string]string{
		"localhost": " (localhost): loopback addresses are not allowed for hooks", "127.0.0.1": refused + ": loopback addresses are not allowed for hooks",
		"inside.example": refused + " (inside.example): loopback addresses are not allowed for hooks", "inside6.example": "(inside6.example): loopback",
		"[::ffff:127.0.0.1]": refused + " (::ffff:127.0.0.1): loopback", "[::1]": "loopback", "0.0.0.0": "unspecified", "[::]": "unspecified",
		"169.254.169.254": "link-local", "[fe80::1%25lo]": "link-local",
		// What no resolver takes for an address leads nowhere.
		"127.1": "no such host", "2130706433": "no such host", "0x7f.1": "no such host", "0177.0.0.1": "no such host",
	} {
		err := get(t, dialer, "http://"+host+":"+s.port+"/", nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", host, err, want)
		}
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests have arrived", n)
	}
}

// The system's own resolver may understand what Go's does not.
func TestStrangeAddressesWithTheSystemsResolver(t *testing.T) {
	s := serve(t)
	for _, host := range []string{"127.1", "2130706433", "0x7f.1", "0x7f000001", "0177.0.0.1", "localhost.", "0"} {
		if err := get(t, egress.Policy{}.Dialer("hooks"), "http://"+host+":"+s.port+"/", nil); err == nil {
			t.Errorf("%s was reached", host)
		}
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests have arrived", n)
	}
}

func TestNameThatChangesIsCheckedEachTime(t *testing.T) {
	s := serve(t)
	dialer := egress.Policy{Resolver: egresstest.Resolver(names), Allow: networks(t, "127.0.0.2")}.Dialer("hooks")
	address := "http://changing.example:" + s.port
	if err := dialer.CheckHost(t.Context(), "changing.example:"+s.port); err != nil {
		t.Fatalf("the first time: %v", err)
	}
	if err := get(t, dialer, address, nil); err == nil || !strings.Contains(err.Error(), "(changing.example): loopback") {
		t.Errorf("the second time: %v", err)
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests have arrived", n)
	}
}

// The second address of a name is no way around the first one's check.
func TestAllAddressesOfANameAreChecked(t *testing.T) {
	s := serve(t)
	dialer := egress.Policy{Resolver: egresstest.Resolver(names), Allow: networks(t, "127.0.0.2")}.Dialer("hooks")
	if err := get(t, dialer, "http://several.example:"+s.port, nil); err == nil {
		t.Error("it was reached")
	}
	if err := dialer.CheckHost(t.Context(), "several.example:80"); err == nil {
		t.Error("a proxy may be sent there")
	}
	if n := s.asked.Load(); n != 0 {
		t.Errorf("%d requests have arrived", n)
	}
}

func TestProxies(t *testing.T) {
	s := serve(t)
	here := &url.URL{Scheme: "http", Host: s.Listener.Addr().String()}
	resolver := egresstest.Resolver(names)
	strict, lenient := egress.Policy{Resolver: resolver}, egress.Policy{Resolver: resolver, Allow: networks(t, "127.0.0.1")}
	for _, tc := range []struct {
		name, target, want string
		policy             egress.Policy
		proxy              *url.URL
	}{
		{"a proxy on loopback", "http://unknown.example/", "127.0.0.1:" + s.port + ": loopback", strict, here},
		{"a socks proxy on loopback", "http://unknown.example/", "loopback", strict, &url.URL{Scheme: "socks5", Host: here.Host}},
		{"a named one", "http://unknown.example/", "(inside.example): loopback", strict, &url.URL{Scheme: "http", Host: "inside.example:" + s.port}},
		{"a target that is refused", "http://169.254.169.254/", "169.254.169.254:80: link-local", lenient, here},
		{"one that is refused by its name", "http://inside6.example/", "[::1]:80 (inside6.example): loopback", lenient, here},
		{"an https one", "https://[::1]/", "[::1]:443: loopback", lenient, here},
		{"a name that only the proxy knows", "http://unknown.example/", "", lenient, here},
	} {
		before := s.asked.Load()
		err := get(t, tc.policy.Dialer("alerts"), tc.target, tc.proxy)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
		if arrived := s.asked.Load() > before; arrived != (tc.want == "") {
			t.Errorf("%s: arrived %t", tc.name, arrived)
		}
	}
}

func TestTrustedAddressIsReached(t *testing.T) {
	s := serve(t)
	dialer := egress.Policy{}.Dialer("loads")
	dialer.Trusted = s.Listener.Addr().String()
	if err := get(t, dialer, s.URL, nil); err != nil {
		t.Error(err)
	}
	if err := get(t, dialer, "http://localhost:"+s.port, nil); err == nil {
		t.Error("another name for it was reached")
	}
}
