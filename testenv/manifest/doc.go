// Package manifest applies YAML files as `kubectl apply --server-side` does.
//
//	set := manifest.Set{Client: c, Owner: "serin-testenv", Replace: strings.NewReplacer("ko://", "dev.local/")}
//	err := set.Apply(ctx, "config/core/200-roles")
//
// A Set may be used from several goroutines.
package manifest
