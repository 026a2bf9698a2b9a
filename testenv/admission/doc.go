// Package admission is Knative's own defaulting and validation of its serving
// resources, behind an admission webhook on loopback.
//
// On a cluster Knative's webhook Deployment does this. Without a cluster
// network the API server could not reach it, so the same Go code,
// the SetDefaults and Validate of knative.dev/serving/pkg/apis/serving/v1,
// runs here, behind webhook configurations that name a URL.
package admission
