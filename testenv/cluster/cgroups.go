//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	cgroupRoot = "/sys/fs/cgroup"
	// cgroupName is the parent of everything in the cluster: of the pods, and of
	// what runs them, which is in a group of its own below it.
	cgroupName    = "serin"
	cgroupDaemons = "system"
)

// hierarchies are the mounted ones: one where the machine has cgroups v2 only,
// else one for each controller.
func hierarchies() ([]string, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(cgroupRoot, &stat); err != nil {
		return nil, fmt.Errorf("look for cgroups: %w", err)
	}
	if stat.Type == unix.CGROUP2_SUPER_MAGIC {
		return []string{cgroupRoot}, nil
	}
	all, err := filepath.Glob(filepath.Join(cgroupRoot, "*"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(path string) bool {
		info, err := os.Lstat(path)
		return err != nil || !info.IsDir() // some are links to others
	}), nil
}

// joinCgroups makes the cluster's groups and moves this process, and so all
// that it will start, into that of the daemons.
func joinCgroups() error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range all {
		daemons := filepath.Join(hierarchy, cgroupName, cgroupDaemons)
		if err := os.MkdirAll(daemons, 0o755); err != nil {
			return fmt.Errorf("make a cgroup: %w", err)
		}
		if err := errors.Join(delegate(hierarchy), inheritCPUs(hierarchy)); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(daemons, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return fmt.Errorf("join a cgroup: %w", err)
		}
	}
	return nil
}

// delegate lets the groups below have all controllers of cgroups v2. In v1 there
// is nothing to do.
func delegate(hierarchy string) error {
	controllers, err := os.ReadFile(filepath.Join(hierarchy, "cgroup.controllers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, group := range []string{hierarchy, filepath.Join(hierarchy, cgroupName)} {
		for c := range strings.FieldsSeq(string(controllers)) {
			if err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+c), 0); err != nil {
				return fmt.Errorf("delegate the controller %s: %w", c, err)
			}
		}
	}
	return nil
}

// inheritCPUs fills what a new group of cgroups v1 has empty, and may not have
// empty when a process comes in.
func inheritCPUs(hierarchy string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(hierarchy, file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		for _, group := range []string{cgroupName, filepath.Join(cgroupName, cgroupDaemons)} {
			if err := os.WriteFile(filepath.Join(hierarchy, group, file), value, 0); err != nil {
				return fmt.Errorf("set %s of a cgroup: %w", file, err)
			}
		}
	}
	return nil
}

// removeCgroups removes the cluster's groups, the innermost first. A group that
// still has processes is an error.
func removeCgroups() error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, hierarchy := range all {
		var groups []string
		err := filepath.WalkDir(filepath.Join(hierarchy, cgroupName), func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				groups = append(groups, path)
			}
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, group := range slices.Backward(groups) {
			if err := unix.Rmdir(group); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("remove the cgroup %s: %w", group, err)
			}
		}
	}
	return nil
}
