package load

import (
	"net/url"

	"golang.org/x/net/http/httpproxy"
)

// environmentProxy is the proxy that the environment names for the URLs, as for
// curl: $http_proxy, where $no_proxy does not name the host. It is nil where
// there is none, where another way to the target is given, and where the URLs
// are not all asked for through the same one. In the pod of Serin's daemon it is
// the proxy that measures.
func (o *options) environmentProxy() *url.URL {
	if o.hey.Proxy != "" || o.connectTo != "" || o.h2c {
		return nil
	}
	proxyFor := httpproxy.FromEnvironment().ProxyFunc()
	var proxy *url.URL
	for i, text := range o.urls {
		u, err := url.Parse(text)
		if err != nil || u.Scheme != "http" {
			return nil
		}
		p, err := proxyFor(u)
		if err != nil || p == nil || p.Scheme != "http" || (i > 0 && *p != *proxy) {
			return nil
		}
		proxy = p
	}
	return proxy
}
