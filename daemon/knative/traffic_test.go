package knative

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"pgregory.net/rapid"

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

func TestTrafficFoundAtInitializationComesBack(t *testing.T) {
	found := []servingv1.TrafficTarget{
		{LatestRevision: new(true), Percent: new(int64(100))},
		tagged("stable", nil),
	}
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Name: "podinfo", Annotations: map[string]string{"mine": "kept"}}}
	service.Spec.Traffic = found
	for _, want := range []rollout.Traffic{{Primary: "a"}, {Primary: "a", Canary: "b", Weight: 30}, {Primary: "b"}} {
		next, err := Divide(service, want)
		if err != nil || next == nil {
			t.Fatalf("Divide gives %v, error %v", next, err)
		}
		if got := next.Annotations[PrimaryRevisionAnnotation]; got != want.Primary {
			t.Errorf("annotated primary %q, want %q", got, want.Primary)
		}
		if again, err := Divide(next, want); again != nil || err != nil {
			t.Errorf("a division that is in place would be written again: %v", err)
		}
		service = next
	}
	back, err := Restore(service)
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

func TestRestoreWithoutMemoryServesTheLatestRevision(t *testing.T) {
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{PrimaryRevisionAnnotation: "a"}}}
	back, err := Restore(service)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Spec.Traffic) != 1 || !*back.Spec.Traffic[0].LatestRevision || percent(back.Spec.Traffic[0]) != 100 {
		t.Errorf("restored traffic %+v", back.Spec.Traffic)
	}
	service.Annotations[InitialTrafficAnnotation] = "{"
	if _, err := Restore(service); err == nil {
		t.Error("a broken annotation was accepted")
	}
	if back, err := Restore(&servingv1.Service{}); back != nil || err != nil {
		t.Errorf("a Service that is not ours would be written: %v, %v", back, err)
	}
}
