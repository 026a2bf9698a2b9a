package main

import (
	"os"
	"testing"
)

func TestDaemonDoesNotSendThroughItsOwnProxy(t *testing.T) {
	for _, tc := range []struct {
		variable, value, tap string
		stays                bool
	}{
		{"http_proxy", "http://127.0.0.1:8081", "127.0.0.1:8081", false},
		{"HTTP_PROXY", "http://127.0.0.1:8081/", "127.0.0.1:8081", false},
		{"https_proxy", "127.0.0.1:8081", "127.0.0.1:8081", false},
		{"HTTPS_PROXY", "http://127.0.0.1:9000", "127.0.0.1:9000", false},
		{"http_proxy", "http://127.0.0.1:8081", "127.0.0.1:9000", false}, // the image's, and it is elsewhere now
		{"http_proxy", "http://127.0.0.1:8081", "", false},               // or turned off
		{"http_proxy", "http://proxy.example:3128", "127.0.0.1:8081", true},
		{"https_proxy", "http://127.0.0.1:3128", "127.0.0.1:8081", true},
		{"http_proxy", "http://[::1", "127.0.0.1:8081", true},
		{"no_proxy", "127.0.0.1:8081", "127.0.0.1:8081", true},
	} {
		t.Setenv(tc.variable, tc.value)
		forgetOwnProxy(tc.tap)
		if _, set := os.LookupEnv(tc.variable); set != tc.stays {
			t.Errorf("%s=%s with --tap %q: set is %v afterwards", tc.variable, tc.value, tc.tap, set)
		}
		t.Setenv(tc.variable, "")
	}
}
