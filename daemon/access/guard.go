package access

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Guard checks requests.
type Guard struct {
	// Client creates TokenReviews and SubjectAccessReviews.
	Client client.Client
	// LoopbackNeedsToken has requests over loopback need a token too.
	LoopbackNeedsToken bool

	users   cache[authenticationv1.UserInfo]
	allowed cache[string] // why not; empty where it is
}

// Action is something done to a Canary. Without a name it is done to all
// Canaries of the namespace, and without a namespace to all there are.
type Action struct {
	Verb            string // of Kubernetes
	Namespace, Name string
}

// resource is what the right is about.
const resource = "canaries"

func (a Action) String() string {
	if a.Name == "" && a.Namespace == "" {
		return fmt.Sprintf("%s %s.%s in all namespaces", a.Verb, resource, v1beta1.GroupVersion.Group)
	}
	return strings.TrimSuffix(fmt.Sprintf("%s %s.%s %s/%s", a.Verb, resource, v1beta1.GroupVersion.Group, a.Namespace, a.Name), "/")
}

// Error is a refusal.
type Error struct {
	Status  int // of HTTP: 401 or 403
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// HTTPStatus returns the status.
func (e *Error) HTTPStatus() int { return e.Status }

// Check returns an *Error for a request that may not do that, and another
// error where it cannot be told.
func (g *Guard) Check(r *http.Request, a Action) error {
	if err := CheckName(r); err != nil {
		return err
	}
	if g.isInside(r) {
		return nil
	}
	user, err := g.sender(r, "may "+a.String())
	if err != nil {
		return err
	}
	return g.may(r.Context(), user, a)
}

// sender returns whose token a request has, which needs one of somebody who can
// do something.
func (g *Guard) sender(r *http.Request, can string) (authenticationv1.UserInfo, error) {
	token, ok := bearer(r.Header)
	if !ok {
		return authenticationv1.UserInfo{}, &Error{http.StatusUnauthorized, "this needs a bearer token of Kubernetes that " + can + g.otherWay(r)}
	}
	return g.user(r.Context(), token)
}

// Enter returns an *Error for a request of somebody who is nobody here, before it
// is known what it is about: so a body need not be read to refuse it.
func (g *Guard) Enter(r *http.Request) error {
	if err := CheckName(r); err != nil {
		return err
	}
	if g.isInside(r) {
		return nil
	}
	_, err := g.sender(r, "may patch the Canary")
	return err
}

// isInside reports whether a request needs no token.
func (g *Guard) isInside(r *http.Request) bool { return !g.LoopbackNeedsToken && Local(r) }

// otherWay says, to end a sentence, how a request would need no token.
func (g *Guard) otherWay(r *http.Request) string {
	switch name := forwarded(r.Header); {
	case g.LoopbackNeedsToken:
		return ", also over loopback"
	case overLoopback(r) && name != "":
		return "; over loopback it needs none, but this was forwarded: it has the header " + name
	}
	return "; from inside the pod, over loopback, it needs none"
}

// bearer is the token of a request (RFC 9110, section 11.4, and RFC 6750, section
// 2.1). What is almost one is none: Kubernetes would make something else of it.
func bearer(header http.Header) (token string, ok bool) {
	fields := header.Values("Authorization")
	if len(fields) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(fields[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	rest := strings.TrimRight(token, "=")
	return token, rest != "" && strings.Trim(rest, tokenCharacters) == ""
}

// tokenCharacters are those of a token, but for the padding at its end.
const tokenCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"

// anonymous is the user that Kubernetes takes for whoever has no token.
const anonymous = "system:anonymous"

// user returns whom a token belongs to.
func (g *Guard) user(ctx context.Context, token string) (authenticationv1.UserInfo, error) {
	user, ok := g.users.get(token)
	if !ok {
		review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
		if err := g.Client.Create(ctx, review); err != nil {
			return user, unable(fmt.Errorf("review a token: %w", err))
		}
		if review.Status.Authenticated && review.Status.User.Username != anonymous {
			user = review.Status.User
		}
		g.users.put(token, user)
	}
	if user.Username == "" {
		return user, &Error{http.StatusUnauthorized, "Kubernetes does not know this token, or it has expired"}
	}
	return user, nil
}

func (g *Guard) may(ctx context.Context, user authenticationv1.UserInfo, a Action) error {
	key := permission(user, a)
	why, ok := g.allowed.get(key)
	if !ok {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: user.Username, UID: user.UID, Groups: user.Groups, Extra: make(map[string]authorizationv1.ExtraValue, len(user.Extra)),
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Group: v1beta1.GroupVersion.Group, Resource: resource, Verb: a.Verb, Namespace: a.Namespace, Name: a.Name,
			},
		}}
		for name, values := range user.Extra {
			review.Spec.Extra[name] = authorizationv1.ExtraValue(values)
		}
		if err := g.Client.Create(ctx, review); err != nil {
			return unable(fmt.Errorf("review whether %s may %s: %w", user.Username, a, err))
		}
		if !review.Status.Allowed {
			why = fmt.Sprintf("%s may not %s", user.Username, a)
		}
		g.allowed.put(key, why)
	}
	if why != "" {
		return &Error{http.StatusForbidden, why}
	}
	return nil
}

// permission is the key of an answer. What differs in any part has another one:
// each string is quoted by itself, and no type in here has a form of its own.
func permission(user authenticationv1.UserInfo, a Action) string {
	extra := make(map[string][]string, len(user.Extra))
	for name, values := range user.Extra {
		extra[name] = values // an ExtraValue would be written without quotes
	}
	return fmt.Sprintf("%q", struct {
		user, uid             string
		groups                []string
		extra                 map[string][]string
		verb, namespace, name string
	}{user.Username, user.UID, user.Groups, extra, a.Verb, a.Namespace, a.Name})
}

// unable explains an error of Kubernetes: a daemon that is installed for its
// namespace alone may not ask about tokens.
func unable(err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	return &Error{http.StatusNotImplemented, "this daemon may not ask Kubernetes about tokens: install the chart with rbac.tokenReview=true, or forward a port to the pod, over which none is needed unless the daemon runs with --loopback token"}
}

// Local reports whether a request came over loopback, at both ends, from somebody
// who is there: one that says that it was forwarded is that of a proxy, which may
// let in anybody.
func Local(r *http.Request) bool { return overLoopback(r) && forwarded(r.Header) == "" }

// forwarders are headers by which proxies say for whom they ask, besides all that
// begin with X-Forwarded and X-Envoy.
var forwarders = []string{"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "X-Original-Forwarded-For", "True-Client-Ip", "Cf-Connecting-Ip", "Client-Ip", "X-Remote-User"}

// forwarded returns the header by which a request says that it was forwarded,
// whatever its value; empty for none.
func forwarded(header http.Header) string {
	for name := range header {
		if strings.HasPrefix(name, "X-Forwarded") || strings.HasPrefix(name, "X-Envoy") || slices.Contains(forwarders, name) {
			return name
		}
	}
	return ""
}

// overLoopback reports whether a request came over loopback, at both ends.
// Sidecars that take connections from outside connect from other addresses of
// 127.0.0.0/8, which are not taken for it.
func overLoopback(r *http.Request) bool {
	here, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return ok && isLoopback(r.RemoteAddr) && isLoopback(here.String())
}

func isLoopback(address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap()
	return ip == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || ip == netip.IPv6Loopback()
}

// CheckName refuses a request over loopback that asks for another name: a
// browser was led here by a name that somebody made point to loopback. That page
// may add the headers of a proxy, which change nothing here.
func CheckName(r *http.Request) error {
	if !overLoopback(r) {
		return nil
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch strings.ToLower(strings.Trim(host, "[]")) {
	case "localhost", "127.0.0.1", "::1":
		return nil
	}
	return &Error{http.StatusForbidden, fmt.Sprintf("over loopback this is localhost or 127.0.0.1, not %q", r.Host)}
}
