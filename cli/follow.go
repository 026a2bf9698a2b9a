package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// resumePause is how long after a watch has ended the next one begins.
const resumePause = time.Second

// sight is told what there is, sorted by namespace and name, each time it has
// changed. Where the cluster cannot be reached it is told the last that is
// known, and why there is nothing newer. It returns true when it has seen
// enough.
type sight[T client.Object] func(now []T, lost error) (enough bool)

// follow lists and watches until see has seen enough or ctx has ended. Only
// what cannot get better, such as missing rights, and an error before anything
// was seen, are its errors.
func follow[T client.Object](ctx context.Context, c client.WithWatch, list client.ObjectList, see sight[T], opts ...client.ListOption) error {
	f := &following[T]{client: c, list: list, opts: opts, see: see}
	for {
		enough, err := f.once(ctx)
		switch {
		case enough:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && (f.now == nil || hopeless(err)):
			return err
		case err != nil && see(f.sorted(), err):
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(resumePause):
		}
	}
}

func hopeless(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err)
}

type following[T client.Object] struct {
	client client.WithWatch
	list   client.ObjectList
	opts   []client.ListOption
	see    sight[T]
	now    map[client.ObjectKey]T // nil before the first list
}

// once lists, and watches until the watch ends, as each does after minutes.
func (f *following[T]) once(ctx context.Context) (enough bool, err error) {
	version, err := f.read(ctx)
	if err != nil {
		return false, err
	}
	if f.see(f.sorted(), nil) {
		return true, nil
	}
	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: version}}
	w, err := f.client.Watch(ctx, f.list, append(slices.Clone(f.opts), from)...)
	if err != nil {
		return false, err
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case event, ok := <-w.ResultChan():
			if !ok {
				return false, nil
			}
			if event.Type == watch.Error {
				return false, apierrors.FromObject(event.Object)
			}
			if f.note(event) && f.see(f.sorted(), nil) {
				return true, nil
			}
		}
	}
}

// read lists what there is, and returns its version.
func (f *following[T]) read(ctx context.Context) (version string, err error) {
	list, ok := f.list.DeepCopyObject().(client.ObjectList)
	if !ok {
		return "", fmt.Errorf("%T is no list", f.list)
	}
	if err := f.client.List(ctx, list, f.opts...); err != nil {
		return "", err
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return "", err
	}
	f.now = make(map[client.ObjectKey]T, len(items))
	for _, item := range items {
		if object, ok := item.(T); ok {
			f.now[client.ObjectKeyFromObject(object)] = object
		}
	}
	return list.GetResourceVersion(), nil
}

// note reports whether something has changed.
func (f *following[T]) note(event watch.Event) bool {
	object, ok := event.Object.(T)
	if !ok || event.Type == watch.Bookmark {
		return false
	}
	if event.Type == watch.Deleted {
		delete(f.now, client.ObjectKeyFromObject(object))
	} else {
		f.now[client.ObjectKeyFromObject(object)] = object
	}
	return true
}

func (f *following[T]) sorted() []T {
	return slices.SortedFunc(maps.Values(f.now), func(a, b T) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
}
