package v1beta1

// Side is one of the two revisions of a rollout. Its value is the tag under
// which that revision can be reached by name.
type Side string

// The sides.
const (
	SidePrimary Side = PrimaryTag
	SideCanary  Side = CanaryTag
)
