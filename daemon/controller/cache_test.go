package controller

import (
	"context"
	"fmt"
	"maps"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/daemon/knative"
)

// cache is what a daemon's informers have: objects as they were when the daemon was
// last told of them, without what nobody reads.
type cache struct {
	objects map[string]client.Object
	// canaries and services say which of the informers lag behind the API server,
	// for lag more reconciles.
	canaries, services bool
	lag                int
}

// take takes notice of a write.
func (c *cache) take(old, next client.Object) {
	if next == nil {
		delete(c.objects, nameOf(old))
		return
	}
	kept, err := knative.Trim(clone(next))
	if err != nil {
		panic(err)
	}
	c.objects[nameOf(next)] = kept.(client.Object)
}

// lags reports whether the informer of an object's kind does.
func (c *cache) lags(o runtime.Object) bool {
	switch o.(type) {
	case *v1beta1.Canary:
		return c.canaries
	case *servingv1.Service, *servingv1.Revision:
		return c.services
	default:
		return false
	}
}

func (c *cache) Get(_ context.Context, _ client.WithWatch, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	o.SetNamespace(key.Namespace)
	o.SetName(key.Name)
	cached := c.objects[nameOf(o)]
	if cached == nil {
		return apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", o)}, key.Name)
	}
	switch o := o.(type) {
	case *v1beta1.Canary:
		cached.(*v1beta1.Canary).DeepCopyInto(o)
	case *servingv1.Service:
		cached.(*servingv1.Service).DeepCopyInto(o)
	default:
		panic(fmt.Sprintf("nobody gets %T from a cache", o))
	}
	return nil
}

func (c *cache) List(_ context.Context, _ client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	var chosen client.ListOptions
	chosen.ApplyOptions(options)
	var found []runtime.Object
	for _, name := range slices.Sorted(maps.Keys(c.objects)) {
		if o := c.objects[name]; matches(list, o, &chosen) {
			found = append(found, clone(o))
		}
	}
	return meta.SetList(list, found)
}

// ofKind reports whether a list is of an object's kind.
func ofKind(list client.ObjectList, o client.Object) bool {
	return fmt.Sprintf("%TList", o) == fmt.Sprintf("%T", list)
}

// matches reports whether an object is in a list, as labels and indexes say.
func matches(list client.ObjectList, o client.Object, options *client.ListOptions) bool {
	if !ofKind(list, o) || o.GetNamespace() != options.Namespace {
		return false
	}
	if options.LabelSelector != nil && !options.LabelSelector.Matches(labels.Set(o.GetLabels())) {
		return false
	}
	if options.FieldSelector == nil {
		return true
	}
	for _, wanted := range options.FieldSelector.Requirements() {
		for _, i := range indexes() {
			if i.name == wanted.Field && fmt.Sprintf("%T", i.object) == fmt.Sprintf("%T", o) {
				return slices.Contains(i.values(o), wanted.Value)
			}
		}
	}
	panic(fmt.Sprintf("there is no index %s", options.FieldSelector))
}
