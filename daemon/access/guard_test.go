package access

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// kubernetes knows one token and one right.
type kubernetes struct {
	client.Client
	reviews int
	down    bool
	forbids string // resource of reviews that this daemon may not make
}

func (k *kubernetes) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	k.reviews++
	if k.down {
		return errors.New("connection refused")
	}
	switch review := o.(type) {
	case *authenticationv1.TokenReview:
		if k.forbids == "tokenreviews" {
			return apierrors.NewForbidden(authenticationv1.Resource(k.forbids), "", errors.New("no role"))
		}
		review.Status.Authenticated = strings.HasPrefix(review.Spec.Token, "good")
		if review.Spec.Token == "anonymous" || strings.HasPrefix(review.Spec.Token, " ") { // as the API server does
			review.Status.Authenticated, review.Status.User.Username = true, "system:anonymous"
			break
		}
		review.Status.User = authenticationv1.UserInfo{Username: "ann", Groups: []string{"dev"}, Extra: map[string]authenticationv1.ExtraValue{"from": {"here"}}}
	case *authorizationv1.SubjectAccessReview:
		if k.forbids == "subjectaccessreviews" {
			return apierrors.NewForbidden(authorizationv1.Resource(k.forbids), "", errors.New("no role"))
		}
		at := review.Spec.ResourceAttributes
		review.Status.Allowed = review.Spec.User == "ann" && review.Spec.Groups[0] == "dev" && review.Spec.Extra["from"][0] == "here" &&
			at.Group == "flagger.app" && at.Resource == "canaries" && at.Verb == "patch" && at.Namespace == "test" && at.Name == "podinfo"
	}
	return nil
}

var promote = Action{Verb: "patch", Namespace: "test", Name: "podinfo"}

// request comes from one address to another, asking for a host.
func request(from, to, host, authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://"+host+"/", nil)
	r.RemoteAddr = from
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	here, err := net.ResolveTCPAddr("tcp", to)
	if err != nil {
		panic(err)
	}
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(here)))
}

// forwardedBy is a request with a header of a proxy.
func forwardedBy(r *http.Request, name, value string) *http.Request {
	r.Header.Set(name, value)
	return r
}

func with(name, value string) *http.Request {
	return forwardedBy(request("127.0.0.1:9", "127.0.0.1:8080", "localhost:8080", ""), name, value)
}

func bearing(r *http.Request) *http.Request {
	r.Header.Set("Authorization", "Bearer good")
	return r
}

// With LoopbackNeedsToken nobody is inside.
func TestLoopbackMayNeedATokenToo(t *testing.T) {
	g := &Guard{Client: new(kubernetes), LoopbackNeedsToken: true}
	here := func() *http.Request { return request("127.0.0.1:9", "127.0.0.1:8080", "localhost:8080", "") }
	refusal, _ := errors.AsType[*Error](g.Check(here(), promote))
	if refusal == nil || refusal.Status != http.StatusUnauthorized || !strings.Contains(refusal.Message, "also over loopback") {
		t.Errorf("without a token: %v", refusal)
	}
	if err := g.Check(bearing(here()), promote); err != nil {
		t.Errorf("with a token: %v", err)
	}
	stranger := bearing(request("127.0.0.1:9", "127.0.0.1:8080", "evil.example", ""))
	if refusal, _ := errors.AsType[*Error](g.Check(stranger, promote)); refusal == nil || refusal.Status != http.StatusForbidden {
		t.Errorf("by a stranger's name: %v", refusal)
	}
}

// twice has its Authorization two times.
func twice(r *http.Request) *http.Request {
	r.Header.Add("Authorization", r.Header.Get("Authorization"))
	return r
}

// An answer about one thing is never that about another that reads the same.
func TestPermissionsAreKeptApart(t *testing.T) {
	user := func(name string, groups []string, extra ...string) authenticationv1.UserInfo {
		u := authenticationv1.UserInfo{Username: name, Groups: groups}
		if len(extra) > 0 {
			u.Extra = map[string]authenticationv1.ExtraValue{"from": extra}
		}
		return u
	}
	ann := user("ann", []string{"dev"})
	seen := map[string]int{}
	for i, p := range []struct {
		user   authenticationv1.UserInfo
		action Action
	}{
		{ann, Action{"patch", "a", "podinfo"}},
		{ann, Action{"patch", "a/podinfo", ""}},
		{ann, Action{"patch", "", "a/podinfo"}},
		{ann, Action{"patch", "a", ""}},
		{ann, Action{"patch", "a/", ""}},
		{ann, Action{"patch", "", ""}},
		{ann, Action{"patch", " in all namespaces", ""}},
		{ann, Action{"patch", "a\xff", ""}},
		{ann, Action{"patch", "a\xfe", ""}},
		{ann, Action{"get", "a", "podinfo"}},
		{user("ann", []string{"dev", "ops"}), Action{"patch", "a", "podinfo"}},
		{user("ann", []string{"dev ops"}), Action{"patch", "a", "podinfo"}},
		{user("ann", []string{`dev" "ops`}), Action{"patch", "a", "podinfo"}},
		{user("ann", []string{"dev"}, "x", "y"), Action{"patch", "a", "podinfo"}},
		{user("ann", []string{"dev"}, "x y"), Action{"patch", "a", "podinfo"}},
		{user("ann", []string{"dev"}, "x] y:[z"), Action{"patch", "a", "podinfo"}},
	} {
		key := permission(p.user, p.action)
		if other, ok := seen[key]; ok {
			t.Errorf("permissions %d and %d have the same key %s", other, i, key)
		}
		seen[key] = i
	}
}

func TestWhoMayChangeWhat(t *testing.T) {
	const pod, user, loopback = "10.1.2.3:8080", "10.9.9.9:4711", "127.0.0.1:8080"
	for name, tc := range map[string]struct {
		r      *http.Request
		action Action
		status int // 0: allowed
		says   string
	}{
		"over loopback":                       {request("127.0.0.1:9", loopback, "localhost:8080", ""), promote, 0, ""},
		"over loopback, by address":           {request("127.0.0.1:9", loopback, "127.0.0.1:8080", ""), promote, 0, ""},
		"over loopback, version 6":            {request("[::1]:9", "[::1]:8080", "[::1]:8080", ""), promote, 0, ""},
		"over loopback, by a stranger's name": {request("127.0.0.1:9", loopback, "evil.example", ""), promote, 403, `not "evil.example"`},
		"over loopback, through a proxy":      {with("X-Forwarded-For", "10.9.9.9"), promote, 401, "it has the header X-Forwarded-For"},
		"the same with a token":               {bearing(with("X-Forwarded-For", "10.9.9.9")), promote, 0, ""},
		"the same with an empty value":        {with("X-Forwarded-For", ""), promote, 401, "X-Forwarded-For"},
		"the same, claiming to be loopback":   {with("X-Forwarded-For", "127.0.0.1"), promote, 401, "X-Forwarded-For"},
		"X-Forwarded-Host":                    {with("x-forwarded-host", "serin"), promote, 401, "X-Forwarded-Host"},
		"X-Forwarded-Proto":                   {with("X-FORWARDED-PROTO", "http"), promote, 401, "X-Forwarded-Proto"},
		"Forwarded":                           {with("Forwarded", "for=10.9.9.9"), promote, 401, "Forwarded"},
		"Via":                                 {with("Via", "1.1 proxy"), promote, 401, "Via"},
		"X-Real-IP":                           {with("X-Real-IP", "10.9.9.9"), promote, 401, "X-Real-Ip"},
		"X-Envoy-External-Address":            {with("X-Envoy-External-Address", "10.9.9.9"), promote, 401, "X-Envoy-External-Address"},
		"a stranger's name and a proxy":       {forwardedBy(request("127.0.0.1:9", loopback, "evil.example", ""), "X-Forwarded-For", "x"), promote, 403, `not "evil.example"`},
		"from a sidecar":                      {request("127.0.0.6:9", pod, "serin.test", ""), promote, 401, "bearer token"},
		"from the pod to its own address":     {request("10.1.2.3:9", pod, "serin.test", ""), promote, 401, "bearer token"},
		"without a token":                     {request(user, pod, "serin.test", ""), promote, 401, "patch canaries.flagger.app test/podinfo"},
		"with a password":                     {request(user, pod, "serin.test", "Basic Z29vZDpnb29k"), promote, 401, "bearer token"},
		"with an empty token":                 {request(user, pod, "serin.test", "Bearer "), promote, 401, "bearer token"},
		"with an unknown token":               {request(user, pod, "serin.test", "Bearer bad"), promote, 401, "does not know this token"},
		"with a token":                        {request(user, pod, "serin.test", "Bearer good"), promote, 0, ""},
		"with a token, in small letters":      {request(user, pod, "serin.test", "bearer good"), promote, 0, ""},
		"with a token, in capitals":           {request(user, pod, "serin.test", "BEARER good"), promote, 0, ""},
		"with a token with padding":           {request(user, pod, "serin.test", "Bearer good.a-b_c~d+e/f=="), promote, 0, ""},
		"with a space before the token":       {request(user, pod, "serin.test", "Bearer  good"), promote, 401, "bearer token"},
		"with a space behind the token":       {request(user, pod, "serin.test", "Bearer good "), promote, 401, "bearer token"},
		"with a tab before the token":         {request(user, pod, "serin.test", "Bearer\tgood"), promote, 401, "bearer token"},
		"with two tokens":                     {request(user, pod, "serin.test", "Bearer good good"), promote, 401, "bearer token"},
		"with two tokens and a comma":         {request(user, pod, "serin.test", "Bearer good,good"), promote, 401, "bearer token"},
		"with padding alone":                  {request(user, pod, "serin.test", "Bearer =="), promote, 401, "bearer token"},
		"with a token that has no letters":    {request(user, pod, "serin.test", "Bearer g\u00f6od"), promote, 401, "bearer token"},
		"with two headers":                    {twice(request(user, pod, "serin.test", "Bearer good")), promote, 401, "bearer token"},
		"with a token of nobody":              {request(user, pod, "serin.test", "Bearer anonymous"), promote, 401, "does not know this token"},
		"to another Canary":                   {request(user, pod, "serin.test", "Bearer good"), Action{"patch", "test", "other"}, 403, "ann may not patch canaries.flagger.app test/other"},
		"to all Canaries":                     {request(user, pod, "serin.test", "Bearer good"), Action{Verb: "patch"}, 403, "in all namespaces"},
		"claiming to be loopback":             {request("no address", pod, "localhost", ""), promote, 401, "bearer token"},
	} {
		err := (&Guard{Client: new(kubernetes)}).Check(tc.r, tc.action)
		refusal, _ := errors.AsType[*Error](err)
		switch {
		case tc.status == 0 && err != nil, tc.status != 0 && (refusal == nil || refusal.HTTPStatus() != tc.status || !strings.Contains(refusal.Error(), tc.says)):
			t.Errorf("%s: %v, want status %d with %q", name, err, tc.status, tc.says)
		}
	}
}

func TestAnswersAreKeptForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := new(kubernetes)
		g := &Guard{Client: k}
		ask := func(token string, wantErr bool) {
			t.Helper()
			if err := g.Check(request("10.9.9.9:1", "10.1.2.3:8080", "serin", "Bearer "+token), promote); (err != nil) != wantErr {
				t.Errorf("token %s: %v", token, err)
			}
		}
		ask("good", false)
		ask("good", false)
		if k.reviews != 2 {
			t.Errorf("%d reviews for two requests, want one of the token and one of the right", k.reviews)
		}
		ask("bad", true)
		ask("bad", true)
		if k.reviews != 3 {
			t.Errorf("%d reviews, want one more for an unknown token", k.reviews)
		}
		time.Sleep(keptFor) //nolint:forbidigo // bubble time
		ask("good", false)
		if k.reviews != 5 {
			t.Errorf("%d reviews, want both again after a while", k.reviews)
		}
	})
}

func TestMemoryOfAnswersIsBounded(t *testing.T) {
	var c cache[int]
	for i := range 10 * kept {
		c.put(strings.Repeat("x", i), i)
		if len(c.answers) > kept {
			t.Fatalf("%d answers are kept", len(c.answers))
		}
	}
}

// Where Kubernetes cannot be asked, nobody gets in, and that is no refusal.
func TestOutageLetsNobodyIn(t *testing.T) {
	err := (&Guard{Client: &kubernetes{down: true}}).Check(request("10.9.9.9:1", "10.1.2.3:8080", "serin", "Bearer good"), promote)
	if _, refused := errors.AsType[*Error](err); err == nil || refused {
		t.Errorf("%v", err)
	}
}

// A daemon that is installed for its namespace alone says what to do.
func TestDaemonWithoutTheRightToAskSaysSo(t *testing.T) {
	for _, forbidden := range []string{"tokenreviews", "subjectaccessreviews"} {
		err := (&Guard{Client: &kubernetes{forbids: forbidden}}).Check(request("10.9.9.9:1", "10.1.2.3:8080", "serin", "Bearer good"), promote)
		refusal, ok := errors.AsType[*Error](err)
		if !ok || refusal.HTTPStatus() != http.StatusNotImplemented || !strings.Contains(refusal.Error(), "rbac.tokenReview=true") {
			t.Errorf("%s: %v", forbidden, err)
		}
	}
}
