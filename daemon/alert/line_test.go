package alert

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/serin-dev/serin/api/v1beta1"
)

func seconds(all ...int) []time.Duration {
	var times []time.Duration
	for _, s := range all {
		times = append(times, time.Duration(s)*time.Second)
	}
	return times
}

func TestTries(t *testing.T) {
	refused := func(int, *http.Request) (reply, error) { return reply{}, errors.New("connection refused") }
	// first answers the first try so, and all others with 200.
	first := func(status int, retryAfter func() string) answerer {
		return func(n int, _ *http.Request) (reply, error) {
			if n == 1 {
				return reply{status, retryAfter()}, nil
			}
			return reply{http.StatusOK, ""}, nil
		}
	}
	text := func(s string) func() string { return func() string { return s } }
	always := func(status int) answerer {
		return func(int, *http.Request) (reply, error) { return reply{status, ""}, nil }
	}
	silent := func(_ int, r *http.Request) (reply, error) {
		<-r.Context().Done()
		return reply{}, r.Context().Err()
	}
	for _, tc := range []struct {
		name   string
		answer answerer
		want   []time.Duration
		log    string
	}{
		{"accepted", always(http.StatusNoContent), seconds(0), ""},
		{"an error of the server's", first(http.StatusBadGateway, text("")), seconds(0, 1), ""},
		{"too many, with seconds", first(http.StatusTooManyRequests, text("20")), seconds(0, 20), ""},
		{"too many, with a date", first(http.StatusTooManyRequests, func() string {
			return time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
		}), seconds(0, 30), ""},
		{"too many, for an hour", first(http.StatusTooManyRequests, text("3600")), seconds(0, 60), ""},
		{"too many, for ages", first(http.StatusTooManyRequests, text("9223372036854775807")), seconds(0, 60), ""},
		{"too many, until next year", first(http.StatusTooManyRequests, func() string {
			return time.Now().AddDate(1, 0, 0).UTC().Format(http.TimeFormat)
		}), seconds(0, 60), ""},
		{"too many, for less than the pause", first(http.StatusServiceUnavailable, text("0")), seconds(0, 1), ""},
		{"too many, in words", first(http.StatusTooManyRequests, text("soon")), seconds(0, 1), ""},
		{"no connection", refused, seconds(0, 1, 3, 7, 15), "given up after 5 tries: post: connection refused"},
		{"no answer within 5 s", silent, seconds(0, 6, 13, 22, 35), "given up after 5 tries: post: context deadline exceeded"},
		{"never well", always(http.StatusInternalServerError), seconds(0, 1, 3, 7, 15), "given up after 5 tries: the provider answered 500"},
		{"refused", always(http.StatusNotFound), seconds(0), "the provider answered 404"},
		{"redirected", always(http.StatusFound), seconds(0), "the provider answered 302"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := begin(t, nil, webhook("a", "http://a/"))
				b.answer = tc.answer
				b.run(t)
				b.Send(told("hello"), via("a"))
				after(patience)
				if got := b.times("hello"); !slices.Equal(got, tc.want) {
					t.Errorf("tried at %v, want %v", got, tc.want)
				}
				if log := b.log.String(); (tc.log == "") != (log == "") || !strings.Contains(log, tc.log) {
					t.Errorf("log %q, want %q", log, tc.log)
				}
			})
		})
	}
}

// News that come five minutes late are none.
func TestOldMessagesAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil, webhook("a", "http://a/"))
		b.answer = func(int, *http.Request) (reply, error) {
			return reply{http.StatusTooManyRequests, "55"}, nil
		}
		b.run(t)
		for _, text := range []string{"first", "second", "third"} {
			b.Send(told(text), via("a"))
		}
		after(time.Hour)
		// The first has its five tries. A pause that would end after the five
		// minutes is not waited for, so the third gets the time that is left.
		for text, want := range map[string][]time.Duration{
			"first": seconds(0, 55, 110, 165, 220), "second": seconds(220, 275), "third": seconds(275),
		} {
			if got := b.times(text); !slices.Equal(got, want) {
				t.Errorf("%s tried at %v, want %v", text, got, want)
			}
		}
		for _, text := range []string{"first", "second", "third"} {
			if !strings.Contains(b.log.String(), "text="+text) {
				t.Errorf("nothing is said about the %s", text)
			}
		}
		b.answer = nil
		b.Send(told("fresh"), via("a"))
		after(0)
		if len(b.times("fresh")) != 1 {
			t.Error("a fresh message is not sent")
		}
	})
}

func TestASlowProviderDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil, webhook("slow", "http://slow/"), webhook("quick", "http://quick/"))
		b.answer = func(_ int, r *http.Request) (reply, error) {
			if r.URL.Host == "slow" {
				<-r.Context().Done()
				return reply{}, r.Context().Err()
			}
			return reply{http.StatusOK, ""}, nil
		}
		b.run(t)
		began := time.Now()
		for i := range 5 {
			b.Send(told(fmt.Sprintf("message %d", i)), via("slow", "quick"))
			synctest.Wait()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Send took %v", took)
		}
		quick := slices.DeleteFunc(b.got(), func(p post) bool { return p.url != "http://quick/" })
		if len(quick) != 5 {
			t.Errorf("the quick provider got %d of 5 meanwhile", len(quick))
		}
	})
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil, webhook("slow", "http://slow/"), webhook("idle", "http://idle/"))
		b.answer = func(_ int, r *http.Request) (reply, error) {
			if r.URL.Host == "idle" {
				return reply{http.StatusOK, ""}, nil
			}
			<-r.Context().Done()
			return reply{}, r.Context().Err()
		}
		b.run(t)
		for i := range 3 {
			b.Send(told(fmt.Sprintf("message %d", i)), via("slow", "idle"))
		}
		after(time.Second)
		ending := time.Now()
		b.end() // the bubble sees to it that no goroutine is left
		if took := time.Since(ending); took != 0 {
			t.Errorf("Run ended after %v", took)
		}
		for _, want := range []string{"message 0", "messages=2"} {
			if !strings.Contains(b.log.String(), want) {
				t.Errorf("%q is not in the log: %s", want, b.log)
			}
		}
		b.Send(told("too late"), via("slow")) // must not block or panic
	})
}

// What is corrected between two tries counts at the next.
func TestProvidersAreReadForEveryTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		provider := webhook("a", "")
		provider.Spec.SecretRef = &v1beta1.SecretRef{Name: "key"}
		held := secret("key", map[string]string{"address": "http://old/"})
		c := cluster(t, provider, held)
		b := begin(t, nil)
		b.config.Reader = c
		b.answer = func(_ int, r *http.Request) (reply, error) {
			if r.URL.Host == "old" {
				return reply{http.StatusServiceUnavailable, ""}, nil
			}
			return reply{http.StatusOK, ""}, nil
		}
		b.run(t)
		b.Send(told("hello"), via("a"))
		after(0)
		held.Data["address"] = []byte("http://new/\n")
		if err := c.Update(t.Context(), held); err != nil {
			t.Fatal(err)
		}
		after(time.Minute)
		if got := b.got(); len(got) != 2 || got[1].url != "http://new/" {
			t.Errorf("posts %v", got)
		}
	})
}

// An API server that does not answer is asked again.
func TestAnUnreachableClusterIsTemporary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := begin(t, nil)
		failures := 2
		b.config.Reader = interceptor.NewClient(cluster(t, webhook("a", "http://a/")), interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				if failures--; failures >= 0 {
					return apierrors.NewServiceUnavailable("etcd is away")
				}
				return c.Get(ctx, key, object, options...)
			},
		})
		b.run(t)
		b.Send(told("hello"), via("a"))
		after(time.Minute)
		if got := b.times("hello"); !slices.Equal(got, seconds(3)) {
			t.Errorf("told at %v, want after the third reading: %s", got, b.log)
		}
	})
}

func TestWhatCannotBeToldIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		secretless := webhook("secretless", "")
		secretless.Spec.SecretRef = &v1beta1.SecretRef{Name: "gone"}
		unsupported := webhook("unsupported", "http://a/")
		unsupported.Spec.Type = "pager"
		forbidden := webhook("forbidden", "")
		forbidden.Spec.SecretRef = &v1beta1.SecretRef{Name: "hidden"}
		b := begin(t, nil)
		b.config.Reader = interceptor.NewClient(cluster(t, secretless, unsupported, forbidden), interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				if key.Name == "hidden" {
					return apierrors.NewForbidden(corev1.Resource("secrets"), key.Name, errors.New("no rule"))
				}
				return c.Get(ctx, key, object, options...)
			},
		})
		b.run(t)
		b.Send(told("hello"), via("unknown", "secretless", "unsupported", "forbidden"))
		after(0) // none is tried twice
		for _, want := range []string{
			"canary=test/podinfo provider=test/unknown text=hello error=\"read alert provider test/unknown: it does not exist\"",
			"read secret test/gone of alert provider test/secretless: it does not exist",
			"alert provider test/unsupported: spec.type must be one of slack,",
			"read secret test/hidden of alert provider test/forbidden: serin is not allowed to",
		} {
			if !strings.Contains(b.log.String(), want) {
				t.Errorf("%q is not in the log:\n%s", want, b.log)
			}
		}
		if got := strings.Count(b.log.String(), "\n"); got != 4 || len(b.got()) != 0 {
			t.Errorf("%d lines, want 4; %d posts", got, len(b.got()))
		}
	})
}
