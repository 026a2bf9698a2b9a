package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// localDaemon is where a daemon listens unless it is told otherwise.
const localDaemon = "http://127.0.0.1:8080"

// Access says how to reach a daemon.
type Access struct {
	// Server is the daemon's URL. Without it a daemon is looked for: in this pod,
	// then by a port-forward to one in the cluster.
	Server string
	// Token is sent as a bearer token. Without it, that of the kubeconfig is sent
	// to a Server with https.
	Token string
	// InsecureToken allows a Token to be sent where anybody can read it.
	InsecureToken bool
	// Namespace of the daemon's pods. Without it they are looked for in the
	// Canary's, then in all.
	Namespace string
	// InPod says that this process runs in a pod.
	InPod bool
}

// Reach returns the daemon's API. The cluster is asked for only where it is
// needed. Close what is returned.
func Reach(a Access, namespace string, connect func() (*Cluster, error)) (*Daemon, error) {
	if a.Server == "" {
		return newDaemon(a.find(namespace, connect), a.Token), nil
	}
	base, err := url.Parse(strings.TrimRight(a.Server, "/"))
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" || base.RawQuery != "" || base.Fragment != "" || base.User != nil {
		return nil, fmt.Errorf("--server must be a URL such as %s, not %q", localDaemon, a.Server)
	}
	if base.Scheme == "http" && a.Token != "" && !a.InsecureToken && !loopback(base.Hostname()) {
		return nil, fmt.Errorf("the token would be sent to %s for all to read: use https, or --insecure-token", base.Host)
	}
	token := a.Token
	if token == "" && base.Scheme == "https" {
		token = kubeconfigToken(connect)
	}
	return newDaemon(func(context.Context) (string, func(), error) { return base.String(), func() {}, nil }, token), nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// kubeconfigToken is the user's, or nothing: a daemon may well ask for none.
func kubeconfigToken(connect func() (*Cluster, error)) string {
	c, err := connect()
	if err != nil {
		return ""
	}
	if c.Config.BearerToken != "" || c.Config.BearerTokenFile == "" {
		return c.Config.BearerToken
	}
	token, err := os.ReadFile(c.Config.BearerTokenFile)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(token))
}

// find is the route to a daemon that nobody has named.
func (a Access) find(namespace string, connect func() (*Cluster, error)) route {
	return func(ctx context.Context) (string, func(), error) {
		if a.InPod && healthy(ctx, localDaemon) {
			return localDaemon, func() {}, nil
		}
		c, err := connect()
		if err != nil {
			return "", nil, err
		}
		pod, err := c.daemonPod(ctx, a.Namespace, namespace)
		if err != nil {
			return "", nil, err
		}
		return c.forward(ctx, pod)
	}
}

// healthy reports whether a daemon answers.
func healthy(ctx context.Context, base string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/healthz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}
