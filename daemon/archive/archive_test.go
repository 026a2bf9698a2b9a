package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// cluster holds one ConfigMap and the annotations of its Canary, and refuses the
// first so many writes.
type cluster struct {
	client.Client
	held      *corev1.ConfigMap
	canary    v1beta1.Canary
	conflicts int
}

func (c *cluster) Patch(_ context.Context, o client.Object, patch client.Patch, _ ...client.PatchOption) error {
	data, err := patch.Data(o)
	if err != nil || !bytes.Contains(data, []byte(`"resourceVersion":"7"`)) {
		return fmt.Errorf("patch %s does not say of what: %w", data, err)
	}
	c.canary.Annotations = o.GetAnnotations()
	return nil
}

func (c *cluster) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	if canary, ok := o.(*v1beta1.Canary); ok {
		c.canary.DeepCopyInto(canary)
		canary.Namespace, canary.Name, canary.UID, canary.ResourceVersion = key.Namespace, key.Name, "uid", "7"
		return nil
	}
	if c.held == nil || client.ObjectKeyFromObject(c.held) != key {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, key.Name)
	}
	c.held.DeepCopyInto(o.(*corev1.ConfigMap))
	return nil
}

func (c *cluster) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	c.held = o.(*corev1.ConfigMap).DeepCopy()
	return nil
}

func (c *cluster) Update(_ context.Context, o client.Object, _ ...client.UpdateOption) error {
	if c.conflicts > 0 {
		c.conflicts--
		return apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, o.GetName(), errors.New("changed"))
	}
	c.held = o.(*corev1.ConfigMap).DeepCopy()
	return nil
}

func canaryAt(name string, second int) *v1beta1.Canary {
	c := &v1beta1.Canary{ObjectMeta: metav1.ObjectMeta{Namespace: "test", Name: name, UID: "uid"}}
	c.Status.Analysis = &v1beta1.AnalysisStatus{
		CanaryRevision: fmt.Sprintf("%s-%05d", name, second),
		StartTime:      metav1.NewMicroTime(time.Unix(1_800_000_000+int64(second), 0)),
	}
	return c
}

var podinfo = types.NamespacedName{Namespace: "test", Name: "podinfo"}

// shelves are those of a test, empty, with room for three pages.
func shelves(t *testing.T) map[string]Shelf {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	c := new(cluster)
	return map[string]Shelf{"folder": Folder{Root: root, Keep: 3}, "ConfigMaps": ConfigMaps{Client: c, Reader: c, Keep: 3}}
}

// read reads a page of podinfo.
func read(t *testing.T, shelf Shelf, id string) ([]byte, error) {
	t.Helper()
	page, err := shelf.Open(t.Context(), podinfo, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = page.Close() }() // it is in memory, or a file
	return io.ReadAll(page)
}

// Who may write ConfigMaps, and not the Canary, has no page shown, and has none of
// Serin's dropped.
func TestPlantedPagesAreRefused(t *testing.T) {
	c := new(cluster)
	shelf := ConfigMaps{Client: c, Reader: c, Keep: 3}
	save := func(second int) string {
		canary := canaryAt("podinfo", second)
		if err := shelf.Save(t.Context(), canary, ID(canary), fmt.Appendf(nil, "page %d", second)); err != nil {
			t.Fatal(err)
		}
		return ID(canary)
	}
	first, second, third := save(1), save(2), save(3)
	form, err := compress([]byte("<form method=post action=/api/v1/canaries/b/shop/promote><button>Details"))
	if err != nil {
		t.Fatal(err)
	}
	pages := c.held.BinaryData
	pages[second+keySuffix] = pages[first+keySuffix] // one of Serin's, as another
	pages[third+keySuffix] = form                    // instead of one of Serin's
	for i := range 5 {                               // newer than all
		pages[fmt.Sprintf("29990101T00000%dZ.podinfo%s", i, keySuffix)] = form
	}
	c.held.Data = map[string]string{first + ".html": "more"}
	for id := range pages {
		id = strings.TrimSuffix(id, keySuffix)
		page, err := read(t, shelf, id)
		if id == first && string(page) != "page 1" || id != first && !errors.Is(err, ErrPlanted) {
			t.Errorf("report %s is %q, %v", id, page, err)
		}
	}
	if ids, err := shelf.List(t.Context(), podinfo); err != nil || !slices.Equal(ids, []string{first}) {
		t.Errorf("list %v, %v", ids, err)
	}
	fourth := save(4)
	if ids, err := shelf.List(t.Context(), podinfo); err != nil || !slices.Equal(ids, []string{fourth, first}) {
		t.Errorf("list %v, %v", ids, err)
	}
	if len(c.held.BinaryData) != 2 || c.held.Data != nil || strings.Count(c.canary.Annotations[Annotation], "=") != 2 {
		t.Errorf("kept %v and %q", c.held, c.canary.Annotations)
	}
}

// Without its annotation a page is nobody's, and one of an earlier Canary of the
// same name is not written down for the new one.
func TestPagesWithoutAChecksumAreRefused(t *testing.T) {
	c := new(cluster)
	shelf := ConfigMaps{Client: c, Reader: c, Keep: 3}
	canary := canaryAt("podinfo", 1)
	if err := shelf.Save(t.Context(), canary, ID(canary), []byte("page")); err != nil {
		t.Fatal(err)
	}
	for _, annotation := range []string{"", "=", ID(canary), ID(canary) + "=", ID(canary) + "=00", ID(canary) + "=zz", "other=" + strings.Repeat("0", 64)} {
		c.canary.Annotations[Annotation] = annotation
		if page, err := read(t, shelf, ID(canary)); !errors.Is(err, ErrPlanted) {
			t.Errorf("with %q: %q, %v", annotation, page, err)
		}
	}
	canary.UID = "earlier"
	if err := shelf.Save(t.Context(), canary, ID(canary), []byte("page")); err == nil || !strings.Contains(err.Error(), "another one by now") {
		t.Errorf("for a Canary that is gone: %v", err)
	}
}

func TestNewestPagesAreKept(t *testing.T) {
	for name, shelf := range shelves(t) {
		t.Run(name, func(t *testing.T) {
			if ids, err := shelf.List(t.Context(), podinfo); len(ids) > 0 || err != nil {
				t.Errorf("an empty shelf has %v, %v", ids, err)
			}
			for second := range 5 {
				c := canaryAt("podinfo", second)
				if err := shelf.Save(t.Context(), c, ID(c), fmt.Appendf(nil, "page %d", second)); err != nil {
					t.Fatal(err)
				}
			}
			ids, err := shelf.List(t.Context(), podinfo)
			want := []string{"20270115T080004Z.podinfo-00004", "20270115T080003Z.podinfo-00003", "20270115T080002Z.podinfo-00002"}
			if err != nil || !slices.Equal(ids, want) {
				t.Fatalf("%v, %v, want %v", ids, err, want)
			}
			if page, err := read(t, shelf, ids[0]); string(page) != "page 4" || err != nil {
				t.Errorf("page %q, %v", page, err)
			}
			for _, id := range []string{"20270115T080000Z.podinfo-00000", "", "..", "../podinfo/" + ids[0], "../../etc/passwd", strings.Repeat("x", 1000)} {
				if page, err := read(t, shelf, id); err == nil {
					t.Errorf("page %q is %q", id, page)
				}
			}
			if _, err := shelf.Open(t.Context(), types.NamespacedName{Namespace: "test", Name: "other"}, ids[0]); !errors.Is(err, ErrNone) {
				t.Errorf("another Canary's page: %v", err)
			}
		})
	}
}

func TestConfigMapGoesWithItsCanaryAndStaysSmall(t *testing.T) {
	c := &cluster{conflicts: 2}
	shelf := ConfigMaps{Client: c, Reader: c, Keep: 10}
	for second := range 4 { // of what cannot be compressed
		page := make([]byte, 300<<10)
		_, _ = rand.Read(page)
		canary := canaryAt("podinfo", second)
		if err := shelf.Save(t.Context(), canary, ID(canary), page); err != nil {
			t.Fatal(err)
		}
		if got, err := read(t, shelf, ID(canary)); err != nil || !bytes.Equal(got, page) {
			t.Fatalf("%d bytes came back: %v", len(got), err)
		}
	}
	size := 0
	for _, page := range c.held.BinaryData {
		size += len(page)
	}
	if size > maxMap || len(c.held.BinaryData) != 2 {
		t.Errorf("%d pages of %d bytes", len(c.held.BinaryData), size)
	}
	if owner := metav1.GetControllerOf(c.held); owner == nil || owner.Kind != "Canary" || owner.Name != "podinfo" {
		t.Errorf("owner %+v", owner)
	}
	huge := make([]byte, maxMap+1)
	_, _ = rand.Read(huge)
	if err := shelf.Save(t.Context(), canaryAt("podinfo", 9), "9", huge); err == nil || !strings.Contains(err.Error(), "on a volume instead") {
		t.Errorf("a page that is too large: %v", err)
	}
}

// memory is a Shelf that keeps everything.
type memory struct {
	Shelf
	mu    sync.Mutex // guards pages
	pages []string
}

func (m *memory) Save(_ context.Context, _ *v1beta1.Canary, id string, page []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pages = append(m.pages, id+" "+string(page))
	return nil
}

// The last events of a rollout come after its end, and are part of its page. At
// shutdown there is no waiting, and nothing is lost.
func TestPagesAreKeptOnceTheyHaveSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(memory)
		var events atomic.Value
		events.Store("begin")
		a := New(Config{Shelf: m, Log: slog.New(slog.DiscardHandler), Render: func(*v1beta1.Canary) ([]byte, bool) { return []byte(events.Load().(string)), true }})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		a.Ended(canaryAt("podinfo", 0))
		time.Sleep(time.Second) //nolint:forbidigo // bubble time
		events.Store("begin end")
		time.Sleep(2 * time.Second) //nolint:forbidigo // bubble time
		a.Ended(canaryAt("podinfo", 1))
		a.Ended(canaryAt("podinfo", 2))
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		want := []string{"20270115T080000Z.podinfo-00000 begin end", "20270115T080001Z.podinfo-00001 begin end", "20270115T080002Z.podinfo-00002 begin end"}
		if !slices.Equal(m.pages, want) {
			t.Errorf("%q, want %q", m.pages, want)
		}
	})
}
