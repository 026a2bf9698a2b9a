package main

import (
	"net/url"
	"os"
	"slices"
	"strings"
)

// defaultTap is where the daemon's proxy is, and http_proxy in the image points
// to.
const defaultTap = "127.0.0.1:8081"

// forgetOwnProxy takes the daemon's own proxy out of its environment. There it
// is for shells in the pod; the daemon's hooks and alerts must not go through
// it. Another proxy stays. It has to be called before anything is sent, as Go
// reads these variables once.
func forgetOwnProxy(tap string) {
	for _, name := range []string{"http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"} {
		if slices.Contains([]string{tap, defaultTap}, proxyHost(os.Getenv(name))) {
			_ = os.Unsetenv(name) // fails for bad names alone
		}
	}
}

// proxyHost is the host:port of a proxy as variables have it, with or without a
// scheme.
func proxyHost(proxy string) string {
	if !strings.Contains(proxy, "://") {
		proxy = "http://" + proxy
	}
	u, err := url.Parse(proxy)
	if err != nil {
		return ""
	}
	return u.Host
}
