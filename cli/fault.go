package cli

import (
	"context"
	"fmt"
	"io"
	"time"
)

// AddFault begins a fault and says so; output is text, json or yaml.
func AddFault(ctx context.Context, d *Daemon, f Fault, output string, out io.Writer) error {
	if err := validOutput(output); err != nil {
		return err
	}
	added, err := d.Add(ctx, f)
	if err != nil {
		return err
	}
	if output != "" {
		return write(out, added, output)
	}
	_, err = fmt.Fprintf(out, "fault %s of %s/%s began, for %s: %s\n",
		clean(added.ID), clean(added.Namespace), clean(added.Name), clean(added.Duration), clean(added.String()))
	return err
}

// ListFaults shows the faults of a namespace or of a Canary; of all where both
// are empty.
func ListFaults(ctx context.Context, d *Daemon, namespace, name, output string, s Screen) error {
	if err := validOutput(output); err != nil {
		return err
	}
	faults, err := d.Faults(ctx, namespace, name)
	switch {
	case err != nil:
		return err
	case output != "":
		return write(s.Out, map[string][]Fault{"faults": append([]Fault{}, faults...)}, output)
	case len(faults) == 0:
		_, err := fmt.Fprintln(s.Out, "There are no faults.")
		return err
	default:
		return s.show(faultTable(faults, time.Now()))
	}
}

// EndFaults ends faults by their ids.
func EndFaults(ctx context.Context, d *Daemon, ids []string, out io.Writer) error {
	for _, id := range ids {
		if err := d.End(ctx, id); err != nil {
			return fmt.Errorf("end fault %s: %w", clean(id), err)
		}
		if _, err := fmt.Fprintf(out, "fault %s ended\n", clean(id)); err != nil {
			return err
		}
	}
	return nil
}

// EndAllFaults ends the faults of a namespace or of a Canary.
func EndAllFaults(ctx context.Context, d *Daemon, namespace, name string, out io.Writer) error {
	ended, err := d.EndAll(ctx, namespace, name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d faults ended\n", ended)
	return err
}

func validOutput(output string) error {
	switch output {
	case "", "json", "yaml":
		return nil
	default:
		return fmt.Errorf("--output must be json or yaml, not %q", output)
	}
}
