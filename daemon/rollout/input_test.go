package rollout

import "testing"

func TestShowsBelievesOnlyTheWholePicture(t *testing.T) {
	primary := Target{Revision: "rev-1", Tag: PrimaryTag, Percent: 80}
	canary := Target{Revision: "rev-2", Tag: CanaryTag, Percent: 20}
	split := Traffic{Primary: "rev-1", Canary: "rev-2", Weight: 20}
	for _, tc := range []struct {
		name    string
		service Service
		want    Traffic
		shows   bool
	}{
		{"as wanted", Service{Current: true, RouteReady: true, Traffic: []Target{primary, canary}}, split, true},
		{"with a tag of the user", Service{Current: true, RouteReady: true, Traffic: []Target{primary, canary, {Revision: "rev-0", Tag: "stable"}}}, split, true},
		{"in several entries, as in Knative's gradual rollout", Service{Current: true, RouteReady: true, Traffic: []Target{
			primary, {Revision: "rev-2", Tag: CanaryTag, Percent: 5}, {Revision: "rev-2", Percent: 15},
		}}, split, true},
		{"status of an older spec", Service{RouteReady: true, Traffic: []Target{primary, canary}}, split, false},
		{"route not ready", Service{Current: true, Traffic: []Target{primary, canary}}, split, false},
		{"another weight", Service{Current: true, RouteReady: true, Traffic: []Target{primary, canary}}, Traffic{Primary: "rev-1", Canary: "rev-2", Weight: 30}, false},
		{"live traffic elsewhere", Service{Current: true, RouteReady: true, Traffic: []Target{
			primary, {Revision: "rev-2", Tag: CanaryTag, Percent: 10}, {Revision: "rev-3", Percent: 10},
		}}, split, false},
		{"more than everything", Service{Current: true, RouteReady: true, Traffic: []Target{primary, canary, {Revision: "rev-3", Percent: 10}}}, split, false},
		{"canary tag on another revision", Service{Current: true, RouteReady: true, Traffic: []Target{
			primary, {Revision: "rev-2", Percent: 20}, {Revision: "rev-3", Tag: CanaryTag},
		}}, split, false},
		{"no primary tag", Service{Current: true, RouteReady: true, Traffic: []Target{{Revision: "rev-1", Percent: 80}, canary}}, split, false},
		{"canary tag still there", Service{Current: true, RouteReady: true, Traffic: []Target{
			{Revision: "rev-1", Tag: PrimaryTag, Percent: 100}, {Revision: "rev-2", Tag: CanaryTag},
		}}, Traffic{Primary: "rev-1"}, false},
		{"nothing known", Service{Current: true, RouteReady: true}, split, false},
	} {
		if got := tc.service.Shows(tc.want); got != tc.shows {
			t.Errorf("%s: shows is %v", tc.name, got)
		}
	}
}
