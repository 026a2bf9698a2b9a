package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	k8stesting "k8s.io/client-go/testing"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/serin-dev/serin/api/v1beta1"
)

// apiServer is controller-runtime's fake client, with what that leaves out of a real
// API server: generations, UIDs, who wrote spec.traffic, definitions that drop
// fields, and that an object which was made again is another one.
type apiServer struct {
	client.WithWatch
	// objects are as they are, by kind and name. They are never changed.
	objects map[string]client.Object
	uids    int
	// dropped are fields of a Canary's status that the installed definition lacks.
	dropped []string
	// onWrite is told of each write that took effect, by whomever: old is nil for an
	// object that was created, next for one that is gone.
	onWrite func(old, next client.Object)
}

func newAPIServer(objects ...client.Object) *apiServer {
	s := &apiServer{objects: make(map[string]client.Object), onWrite: func(_, _ client.Object) {}}
	for _, o := range objects {
		s.objects[nameOf(o)] = o
	}
	s.WithWatch = interceptor.NewClient(newFakeClient(objects...), interceptor.Funcs{
		Create: s.create, Delete: s.remove, Patch: s.patch, SubResourceUpdate: s.updateStatus,
	})
	return s
}

var testScheme = sync.OnceValue(func() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1beta1.AddToScheme, servingv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
})

var testDecoder = sync.OnceValue(func() runtime.Decoder { return serializer.NewCodecFactory(testScheme()).UniversalDecoder() })

// newFakeClient has the indexes of a daemon's cache.
func newFakeClient(objects ...client.Object) client.WithWatch {
	builder := fake.NewClientBuilder().WithScheme(testScheme()).WithReturnManagedFields().
		WithObjectTracker(k8stesting.NewObjectTracker(testScheme(), testDecoder())).
		WithObjects(objects...)
	for _, i := range indexes() {
		builder.WithIndex(i.object, i.name, i.values)
	}
	return builder.Build()
}

func (s *apiServer) create(ctx context.Context, c client.WithWatch, o client.Object, options ...client.CreateOption) error {
	s.uids++
	o.SetUID(types.UID(fmt.Sprintf("uid-%d", s.uids)))
	o.SetGeneration(1)
	o.SetCreationTimestamp(metav1.Now())
	if err := c.Create(ctx, o, options...); err != nil {
		return err
	}
	s.wrote(nil, clone(o))
	return nil
}

// wrote notes a write. old is nil for an object that was created, next for one that
// is gone.
func (s *apiServer) wrote(old, next client.Object) {
	if next == nil {
		delete(s.objects, nameOf(old))
	} else {
		s.objects[nameOf(next)] = next
	}
	s.onWrite(old, next)
}

// nameOf is an object's kind and name.
func nameOf(o client.Object) string { return fmt.Sprintf("%T %s", o, client.ObjectKeyFromObject(o)) }

func (s *apiServer) remove(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
	if err := c.Delete(ctx, o, options...); err != nil {
		return err
	}
	old := s.objects[nameOf(o)]
	now := clone(old)
	if err := c.Get(ctx, client.ObjectKeyFromObject(o), now); err != nil {
		now = nil
	}
	s.wrote(old, now)
	return nil
}

func (s *apiServer) patch(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, options ...client.PatchOption) error {
	old, err := s.life(o)
	if err != nil {
		return err
	}
	var chosen client.PatchOptions
	chosen.ApplyOptions(options)
	err = c.Patch(ctx, o, servedPatch{patch, old, chosen.FieldManager}, options...)
	switch {
	case err == nil:
		s.wrote(old, clone(o))
	case apierrors.IsNotFound(err): // it has lost its last finalizer
		s.wrote(old, nil)
	}
	return err
}

// servedPatch is what comes of a patch in a real API server.
type servedPatch struct {
	client.Patch
	old     client.Object
	manager string
}

func (p servedPatch) Data(o client.Object) ([]byte, error) {
	data, err := p.Patch.Data(o)
	if err != nil {
		return nil, err
	}
	var patch map[string]any
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, err
	}
	delete(patch, "status")
	spec, ok := patch["spec"].(map[string]any)
	if !ok {
		return json.Marshal(patch)
	}
	metadata, ok := patch["metadata"].(map[string]any)
	if !ok {
		metadata = make(map[string]any)
		patch["metadata"] = metadata
	}
	metadata["generation"] = p.old.GetGeneration() + 1
	if _, ok := spec["traffic"]; ok {
		metadata["managedFields"] = trafficManagers(p.manager)
	}
	return json.Marshal(patch)
}

// trafficManagers say who wrote spec.traffic last.
func trafficManagers(manager string) []metav1.ManagedFieldsEntry {
	return []metav1.ManagedFieldsEntry{{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: new(metav1.Now()), APIVersion: "serving.knative.dev/v1",
		FieldsType: "FieldsV1", FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:spec":{"f:traffic":{}}}`)},
	}}
}

// updateStatus keeps all but the status. The fake client could do that, too, and takes
// ten times as long for it, which is too long for some ten thousand writes.
func (s *apiServer) updateStatus(ctx context.Context, c client.Client, subresource string, o client.Object, options ...client.SubResourceUpdateOption) error {
	if raw, ok := o.(*unstructured.Unstructured); ok {
		return s.updateRaw(ctx, c, raw, options)
	}
	old, err := s.life(o)
	if err != nil {
		return err
	}
	next := clone(old)
	next.SetResourceVersion(o.GetResourceVersion())
	switch o := o.(type) {
	case *v1beta1.Canary:
		o.Status.DeepCopyInto(&next.(*v1beta1.Canary).Status)
	case *servingv1.Service:
		o.Status.DeepCopyInto(&next.(*servingv1.Service).Status)
	case *servingv1.Revision:
		o.Status.DeepCopyInto(&next.(*servingv1.Revision).Status)
	default:
		panic(fmt.Sprintf("%T has no %s", o, subresource))
	}
	if err := c.Update(ctx, next); err != nil {
		return err
	}
	s.wrote(old, next)
	reflect.ValueOf(o).Elem().Set(reflect.ValueOf(clone(next)).Elem())
	return nil
}

// updateRaw updates a Canary's status without the fields that are dropped. The fake
// client would keep an unstructured object as it is.
func (s *apiServer) updateRaw(ctx context.Context, c client.Client, raw *unstructured.Unstructured, options []client.SubResourceUpdateOption) error {
	for _, field := range s.dropped {
		unstructured.RemoveNestedField(raw.Object, "status", field)
	}
	if dryRun(options) {
		return nil
	}
	canary := new(v1beta1.Canary)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw.Object, canary); err != nil {
		return err
	}
	if err := s.updateStatus(ctx, c, "status", canary, options...); err != nil {
		return err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(canary)
	raw.Object = content
	return err
}

func dryRun(options []client.SubResourceUpdateOption) bool {
	var chosen client.SubResourceUpdateOptions
	chosen.ApplyOptions(options)
	return len(chosen.DryRun) > 0
}

// life is an object as it is. One that was made again is refused, whose
// resourceVersion may be the old one's by chance here.
func (s *apiServer) life(o client.Object) (client.Object, error) {
	old := s.objects[nameOf(o)]
	switch {
	case old == nil:
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", o)}, o.GetName())
	case o.GetUID() != "" && o.GetUID() != old.GetUID():
		return nil, apierrors.NewConflict(schema.GroupResource{}, o.GetName(), fmt.Errorf("uid %s is not %s", o.GetUID(), old.GetUID()))
	}
	return old, nil
}

func clone(o client.Object) client.Object { return o.DeepCopyObject().(client.Object) }

// edit changes an object as a person does, under a name.
func (s *apiServer) edit(t *testing.T, o client.Object, who string, change func()) {
	t.Helper()
	before := clone(o)
	change()
	if equality.Semantic.DeepEqual(before, o) {
		t.Fatal("an edit that changes nothing")
	}
	if err := s.Patch(t.Context(), o, client.MergeFrom(before), client.FieldOwner(who)); err != nil {
		t.Fatalf("edit by %s: %v", who, err)
	}
}

// A fake that is not like the API server proves nothing.
func TestFakeAPIServer(t *testing.T) {
	s := newAPIServer()
	var writes int
	s.onWrite = func(_, _ client.Object) { writes++ }
	service := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo"}}
	if err := s.Create(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	old := service.DeepCopy()
	s.edit(t, service, "kubectl", func() {
		service.Spec.Traffic = []servingv1.TrafficTarget{{RevisionName: "a", Percent: new(int64(100))}}
	})
	if service.Generation != 2 || len(service.ManagedFields) != 1 || service.ManagedFields[0].Manager != "kubectl" {
		t.Errorf("after an edit of spec.traffic: %+v", service.ObjectMeta)
	}
	s.edit(t, service, "kubectl", func() { service.Annotations = map[string]string{"a": "b"} })
	service.Status.ObservedGeneration, service.Spec.Traffic = 2, nil
	if err := s.Status().Update(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if service.Generation != 2 || service.Spec.Traffic == nil || service.Status.ObservedGeneration != 2 {
		t.Errorf("after an annotation and a status: %+v", service)
	}
	if err := s.Status().Update(t.Context(), old); !apierrors.IsConflict(err) {
		t.Errorf("a status of another resourceVersion: %v", err)
	}
	locked := client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{})
	if err := s.Patch(t.Context(), old.DeepCopy(), locked); !apierrors.IsConflict(err) {
		t.Errorf("a patch of another resourceVersion: %v", err)
	}
	if err := s.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	if writes != 5 {
		t.Errorf("%d writes are told, want 5", writes)
	}
	again := &servingv1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: "podinfo"}}
	if err := s.Create(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	old.ResourceVersion = again.ResourceVersion
	if err := s.Patch(t.Context(), old, client.MergeFrom(old.DeepCopy())); !apierrors.IsConflict(err) {
		t.Errorf("a patch of another life: %v", err)
	}
}

// pass lets time pass, in a bubble.
func pass(d time.Duration) { <-time.After(d) }
