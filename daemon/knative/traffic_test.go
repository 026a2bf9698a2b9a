package knative

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/rollout"
)

func tagged(tag string, percent *int64) servingv1.TrafficTarget {
	return servingv1.TrafficTarget{Tag: tag, RevisionName: "user", LatestRevision: new(false), Percent: percent}
}

func TestD15UsersTagsSurviveAndPercentagesSumTo100(t *testing.T) {
	target := rapid.Custom(func(t *rapid.T) servingv1.TrafficTarget {
		tag := rapid.SampledFrom([]string{"", "primary", "canary", "stable", "beta"}).Draw(t, "tag")
		percent := rapid.SampledFrom([]*int64{nil, new(int64(0)), new(int64(40)), new(int64(100))}).Draw(t, "percent")
		return tagged(tag, percent)
	})
	rapid.Check(t, func(t *rapid.T) {
		current := rapid.SliceOfN(target, 0, 6).Draw(t, "current")
		want := rollout.Traffic{Primary: "p"}
		if rapid.Bool().Draw(t, "with canary") {
			want.Canary, want.Weight = "c", rapid.Int32Range(0, 100).Draw(t, "weight")
		}
		got := divide(current, want)
		var sum int64
		tags := map[string]int{}
		for _, g := range got {
			sum += percent(g)
			tags[g.Tag]++
			if (g.Tag == "stable" || g.Tag == "beta" || g.Tag == "") && percent(g) != 0 {
				t.Fatalf("target %+v of the user has live traffic", g)
			}
		}
		if sum != 100 {
			t.Fatalf("percentages sum to %d in %+v", sum, got)
		}
		users := map[string]int{}
		for _, c := range current {
			users[c.Tag]++
		}
		for _, tag := range []string{"stable", "beta"} {
			if tags[tag] != users[tag] {
				t.Fatalf("user's tag %s occurs %d times, want %d", tag, tags[tag], users[tag])
			}
		}
		if again := divide(got, want); !cmp.Equal(got, again) {
			t.Fatalf("dividing again changes it:\n%s", cmp.Diff(got, again))
		}
	})
}

// leftBy is the note of a Canary in one of its lives.
func leftBy(uid types.UID) rollout.Left {
	return rollout.Left{Canary: "podinfo", UID: uid, Revert: true}
}

// divided is a Service on which Serin has brought about some divisions.
func divided(t *testing.T, service *servingv1.Service, uid types.UID, divisions ...rollout.Traffic) *servingv1.Service {
	t.Helper()
	for _, want := range divisions {
		next, err := Divide(service, want, leftBy(uid))
		if err != nil || next == nil {
			t.Fatalf("Divide gives %v, error %v", next, err)
		}
		if got := next.Annotations[PrimaryRevisionAnnotation]; got != want.Primary {
			t.Errorf("annotated primary %q, want %q", got, want.Primary)
		}
		if again, err := Divide(next, want, leftBy(uid)); again != nil || err != nil {
			t.Errorf("a division that is in place would be written again: %v", err)
		}
		service = next
	}
	return service
}

func TestTrafficFoundAtInitializationComesBack(t *testing.T) {
	found := []servingv1.TrafficTarget{
		{LatestRevision: new(true), Percent: new(int64(100))},
		tagged("stable", nil),
	}
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Annotations: map[string]string{"mine": "kept"}}}
	service.Spec.Traffic = found
	service = divided(t, service, "life-1", rollout.Traffic{Primary: "a"}, rollout.Traffic{Primary: "a", Canary: "b", Weight: 30}, rollout.Traffic{Primary: "b"})
	back, err := Depart(service, Observe(service, nil), rollout.Departure{Restore: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(found, back.Spec.Traffic); diff != "" {
		t.Errorf("restored traffic (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"mine": "kept"}, back.Annotations); diff != "" {
		t.Errorf("restored annotations (-want +got):\n%s", diff)
	}
}

// What an earlier Canary found is not what this one found.
func TestInitialTrafficIsOfThisLife(t *testing.T) {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo"}}
	service = divided(t, service, "life-1", rollout.Traffic{Primary: "a"})
	service.Spec.Traffic = []servingv1.TrafficTarget{tagged("", new(int64(100)))}
	service = divided(t, service, "life-2", rollout.Traffic{Primary: "b"})
	if got := Observe(service, nil).Left; got.UID != "life-2" || len(got.Initial) != 1 || got.Initial[0].Revision != "user" {
		t.Errorf("noted is %+v, want what life-2 found", got)
	}
	service.Annotations[CanaryAnnotation] = "{" // somebody has broken it
	next, err := Divide(service, rollout.Traffic{Primary: "b"}, leftBy("life-2"))
	if err != nil || next.Annotations[InitialTrafficAnnotation] != service.Annotations[InitialTrafficAnnotation] {
		t.Errorf("the initial traffic is lost with a broken note: %v, %v", next, err)
	}
}

// What other revisions had of the live traffic at the beginning is kept, with the
// user's tags.
func TestSharesAreKept(t *testing.T) {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo"}}
	service.Spec.Traffic = []servingv1.TrafficTarget{{RevisionName: "a", Percent: new(int64(90))}, {RevisionName: "b", Tag: "beta", Percent: new(int64(10))}}
	want := rollout.Traffic{Primary: "a", Kept: []v1beta1.TrafficShare{{Revision: "b", Percent: 10}}}
	service = divided(t, service, "life-1", want)
	if !Observe(service, nil).Asks(want) || len(service.Spec.Traffic) != 3 || service.Spec.Traffic[2].Tag != "beta" {
		t.Errorf("traffic %+v, want %s and the tag beta", service.Spec.Traffic, want)
	}
}

func TestTagsToDropGo(t *testing.T) {
	got := divide([]servingv1.TrafficTarget{tagged("stable", nil), tagged("beta", nil)}, rollout.Traffic{Primary: "a"}, "stable")
	if len(got) != 2 || got[1].Tag != "beta" {
		t.Errorf("traffic %+v, want a and the tag beta", got)
	}
}

func TestRestoreWithoutMemoryServesTheLatestRevision(t *testing.T) {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{PrimaryRevisionAnnotation: "a"}}}
	back, err := Depart(service, Observe(service, nil), rollout.Departure{Restore: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Spec.Traffic) != 1 || !*back.Spec.Traffic[0].LatestRevision || percent(back.Spec.Traffic[0]) != 100 {
		t.Errorf("restored traffic %+v", back.Spec.Traffic)
	}
	service.Annotations[InitialTrafficAnnotation] = "{"
	if _, err := Depart(service, Observe(service, nil), rollout.Departure{Restore: true}); err == nil {
		t.Error("a broken annotation was accepted")
	}
	if back, err := Depart(&servingv1.Service{}, &rollout.Service{}, rollout.Departure{}); back != nil || err != nil {
		t.Errorf("a Service that is not ours would be written: %v, %v", back, err)
	}
}

// What somebody has broken is not read: a note is none, and the traffic that was found is
// not given back, which is no reason to leave the rest.
func TestBrokenAnnotations(t *testing.T) {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo"}}
	service = divided(t, service, "life-1", rollout.Traffic{Primary: "a"})
	service.Annotations[InitialTrafficAnnotation] = "{"
	left := Observe(service, nil).Left
	if left == nil || left.UID != "life-1" || left.Initial != nil || !strings.Contains(left.Problem, InitialTrafficAnnotation) {
		t.Errorf("with a broken traffic the note is %+v", left)
	}
	service.Annotations[CanaryAnnotation] = "{"
	if o := Observe(service, nil); o.Left != nil || Noted(service) != nil {
		t.Errorf("a broken note is %+v", o.Left)
	}
}

// A Canary that is deleted in mid-rollout leaves its primary revision alone, and the
// tags that it took from the user.
func TestDepartureGivesTagsBack(t *testing.T) {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo"}}
	service.Spec.Traffic = []servingv1.TrafficTarget{
		{RevisionName: "a", Percent: new(int64(100))},
		{RevisionName: "old", Tag: "primary"}, {RevisionName: "gone", Tag: "canary"}, tagged("stable", nil),
	}
	service = divided(t, service, "life-1", rollout.Traffic{Primary: "a"}, rollout.Traffic{Primary: "a", Canary: "b", Weight: 30})
	observed := Observe(service, nil)
	observed.Revisions["old"] = rollout.Revision{}
	back, err := Depart(service, observed, rollout.Departure{Primary: "a"})
	if err != nil {
		t.Fatal(err)
	}
	want := []rollout.Target{{Revision: "a", Percent: 100}, {Revision: "user", Tag: "stable"}, {Revision: "old", Tag: "primary"}}
	if diff := cmp.Diff(want, targets(back.Spec.Traffic)); diff != "" {
		t.Errorf("traffic (-want +got):\n%s", diff)
	}
	if len(back.Annotations) != 0 {
		t.Errorf("annotations stay: %v", back.Annotations)
	}
}

// Who else has changed spec.traffic is known from the fields' managers, of which the
// cache keeps just that.
func TestWriterOfTraffic(t *testing.T) {
	owns := func(manager, subresource, fields string, second int) metav1.ManagedFieldsEntry {
		at := metav1.Unix(int64(second), 0)
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, Time: &at, FieldsV1: &metav1.FieldsV1{Raw: []byte(fields)}}
	}
	const traffic = `{"f:spec":{"f:template":{},"f:traffic":{}}}`
	for name, tc := range map[string]struct {
		fields []metav1.ManagedFieldsEntry
		writer string
		second int64
	}{
		"nobody":               {nil, "", 0},
		"somebody":             {[]metav1.ManagedFieldsEntry{owns("kubectl", "", traffic, 7)}, "kubectl", 7},
		"Serin":                {[]metav1.ManagedFieldsEntry{owns(FieldOwner, "", traffic, 7)}, "", 0},
		"somebody after Serin": {[]metav1.ManagedFieldsEntry{owns("argocd", "", traffic, 8), owns(FieldOwner, "", traffic, 7)}, "argocd", 8},
		"Serin after somebody": {[]metav1.ManagedFieldsEntry{owns("argocd", "", traffic, 7), owns(FieldOwner, "", traffic, 8)}, "", 0},
		"of the status":        {[]metav1.ManagedFieldsEntry{owns("controller", "status", `{"f:status":{"f:traffic":{}}}`, 9)}, "", 0},
		"of something else":    {[]metav1.ManagedFieldsEntry{owns("kubectl", "", `{"f:spec":{"f:template":{}}}`, 9)}, "", 0},
	} {
		service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{ManagedFields: tc.fields}}
		for _, trimmed := range []bool{false, true} {
			if trimmed {
				if _, err := Trim(service); err != nil {
					t.Fatal(err)
				}
			}
			o := Observe(service, nil)
			if o.SpecWriter != tc.writer || (tc.writer != "" && o.SpecTime.Unix() != tc.second) {
				t.Errorf("%s: written by %q at %v, want %q (trimmed: %v)", name, o.SpecWriter, o.SpecTime, tc.writer, trimmed)
			}
		}
		if len(service.ManagedFields) > 1 {
			t.Errorf("%s: %d managers are kept in the cache", name, len(service.ManagedFields))
		}
	}
}
