package admission

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	"knative.dev/pkg/apis"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// resource is what all of Knative's types are.
type resource interface {
	apis.Defaultable
	apis.Validatable
}

// empty returns a new object of a kind, or nil for one that is not Knative's.
func empty(kind string) resource {
	switch kind {
	case "Service":
		return new(servingv1.Service)
	case "Configuration":
		return new(servingv1.Configuration)
	case "Route":
		return new(servingv1.Route)
	case "Revision":
		return new(servingv1.Revision)
	}
	return nil
}

// decode reads the objects of a request and puts what Knative's code wants to
// know about it into the context.
func decode(ctx context.Context, req admission.Request) (context.Context, resource, error) {
	object := empty(req.Kind.Kind)
	if object == nil {
		return ctx, nil, fmt.Errorf("kind %q is not one of Knative Serving's", req.Kind.Kind)
	}
	if err := json.Unmarshal(req.Object.Raw, object); err != nil {
		return ctx, nil, fmt.Errorf("read the %s: %w", req.Kind.Kind, err)
	}
	ctx = apis.WithUserInfo(ctx, &req.UserInfo)
	if req.Operation != admissionv1.Update {
		return apis.WithinCreate(ctx), object, nil
	}
	old := empty(req.Kind.Kind)
	if err := json.Unmarshal(req.OldObject.Raw, old); err != nil {
		return ctx, nil, fmt.Errorf("read the old %s: %w", req.Kind.Kind, err)
	}
	return apis.WithinUpdate(ctx, old), object, nil
}

// setDefaults answers a mutating review.
func setDefaults(ctx context.Context, req admission.Request) admission.Response {
	ctx, object, err := decode(ctx, req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	object.SetDefaults(ctx)
	defaulted, err := json.Marshal(object)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(req.Object.Raw, defaulted)
}

// validate answers a validating review, in Knative's words.
func validate(ctx context.Context, req admission.Request) admission.Response {
	ctx, object, err := decode(ctx, req)
	if err != nil {
		return admission.Errored(http.StatusBadRequest, err)
	}
	if err := object.Validate(ctx); err != nil && err.Filter(apis.ErrorLevel) != nil {
		return admission.Denied("validation failed: " + err.Filter(apis.ErrorLevel).Error())
	}
	return admission.Allowed("")
}
