package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

const (
	// settling is how long a page waits for what is still to be told of its
	// rollout: its last events.
	settling = 2 * time.Second
	// queueSize is how many pages may wait. Rollouts do not end that fast.
	queueSize = 64
	// lastWords bounds what is kept at shutdown.
	lastWords = 5 * time.Second
)

// ErrNone is the error for a page that is not kept, or not any more.
var ErrNone = errors.New("there is no such report")

// ErrPlanted is the error for a page that Serin has not put where it is.
var ErrPlanted = errors.New("this report is not as Serin has kept it, so it is not shown: somebody else has written it")

// Shelf keeps pages by their Canary and an identifier. Identifiers are made of
// letters, digits, points and dashes, and sort by the time of the rollout.
type Shelf interface {
	// Save keeps a page, and drops the oldest where there are too many.
	Save(ctx context.Context, canary *v1beta1.Canary, id string, page []byte) error
	// List returns the identifiers of a Canary's pages, newest first.
	List(ctx context.Context, canary types.NamespacedName) ([]string, error)
	// Open returns a page to be read, or ErrNone, or ErrPlanted. No more of it is
	// in memory than has been kept, compressed.
	Open(ctx context.Context, canary types.NamespacedName, id string) (io.ReadCloser, error)
}

// Config says what to keep and where.
type Config struct {
	Shelf Shelf
	// Render returns the page of the rollout that a Canary's status is about,
	// and false where nothing is known of it.
	Render func(canary *v1beta1.Canary) (page []byte, ok bool)
	Log    *slog.Logger
}

// Archive keeps pages. New makes one.
type Archive struct {
	Shelf
	config Config
	ended  chan entry
}

type entry struct {
	canary *v1beta1.Canary
	since  time.Time
}

// New returns an Archive. Nothing is kept before Run.
func New(config Config) *Archive {
	return &Archive{Shelf: config.Shelf, config: config, ended: make(chan entry, queueSize)}
}

// Ended says that the rollout of a Canary's status has ended.
func (a *Archive) Ended(canary *v1beta1.Canary) {
	select {
	case a.ended <- entry{canary.DeepCopy(), time.Now()}:
	default:
		a.config.Log.Warn("too many rollouts end at once: one has no report", "canary", canary.Namespace+"/"+canary.Name)
	}
}

// Run keeps pages until ctx ends, those that wait included.
func (a *Archive) Run(ctx context.Context) error {
	for {
		select {
		case e := <-a.ended:
			select {
			case <-time.After(time.Until(e.since.Add(settling))):
			case <-ctx.Done():
			}
			a.keep(ctx, e.canary)
		case <-ctx.Done():
			a.keepRest(ctx)
			return nil
		}
	}
}

func (a *Archive) keepRest(ctx context.Context) {
	for {
		select {
		case e := <-a.ended:
			a.keep(ctx, e.canary)
		default:
			return
		}
	}
}

func (a *Archive) keep(ctx context.Context, canary *v1beta1.Canary) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords) // also at shutdown
	defer cancel()
	page, ok := a.config.Render(canary)
	if !ok {
		return
	}
	if err := a.Save(ctx, canary, ID(canary), page); err != nil {
		a.config.Log.WarnContext(ctx, "the report of a rollout cannot be kept", "canary", canary.Namespace+"/"+canary.Name, "error", err)
	}
}

// ID is the identifier of the rollout that a Canary's status is about.
func ID(canary *v1beta1.Canary) string {
	a := canary.Status.Analysis
	return fmt.Sprintf("%s.%s", a.StartTime.UTC().Format("20060102T150405Z"), a.CanaryRevision)
}
