package image

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// File is one file, folder or symbolic link of an image. The folders above it
// need not be named.
type File struct {
	// Path is where it is in the image, absolute.
	Path string
	// One of these is what it is: the content of a file of this machine, a
	// text, or the target of a link. Without them it is an empty folder.
	From, Text, Link string
	// Mode has the permissions, and the sticky bit. Default 0755 for folders and
	// what From can be executed, else 0644.
	Mode fs.FileMode
}

// layer is a tar under way.
type layer struct {
	tar   *tar.Writer
	taken map[string]bool // paths that are in it
}

// writeLayer writes the files as a tar without owners and times.
func writeLayer(to string, files []File) error {
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 1<<20)
	l := &layer{tar: tar.NewWriter(buffered), taken: map[string]bool{"/": true}}
	for _, f := range files {
		if err = l.add(f); err != nil {
			err = fmt.Errorf("%s: %w", f.Path, err)
			break
		}
	}
	return errors.Join(err, l.tar.Close(), buffered.Flush(), out.Close())
}

func (l *layer) add(f File) error {
	if !path.IsAbs(f.Path) || path.Clean(f.Path) != f.Path {
		return errors.New("a path in an image is absolute, and clean")
	}
	if l.taken[f.Path] {
		return errors.New("it is there twice")
	}
	if err := l.addFolders(path.Dir(f.Path)); err != nil {
		return err
	}
	l.taken[f.Path] = true
	switch {
	case f.From != "":
		return l.addCopy(f)
	case f.Link != "":
		return l.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: inTar(f.Path), Linkname: f.Link, Mode: 0o777})
	case f.Text != "":
		return l.addContent(f, 0o644, int64(len(f.Text)), strings.NewReader(f.Text))
	}
	return l.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: inTar(f.Path) + "/", Mode: mode(f, 0o755)})
}

// addFolders adds the folders of a path that are not there yet.
func (l *layer) addFolders(folder string) error {
	if l.taken[folder] {
		return nil
	}
	if err := l.addFolders(path.Dir(folder)); err != nil {
		return err
	}
	l.taken[folder] = true
	return l.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: inTar(folder) + "/", Mode: 0o755})
}

func (l *layer) addCopy(f File) error {
	from, err := os.Open(f.From)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	info, err := from.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", f.From)
	}
	usual := fs.FileMode(0o644)
	if info.Mode()&0o111 != 0 {
		usual = 0o755
	}
	return l.addContent(f, usual, info.Size(), from)
}

func (l *layer) addContent(f File, usual fs.FileMode, size int64, content io.Reader) error {
	if err := l.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: inTar(f.Path), Mode: mode(f, usual), Size: size}); err != nil {
		return err
	}
	_, err := io.Copy(l.tar, content)
	return err
}

// inTar is a path as a tar has it.
func inTar(path string) string { return strings.TrimPrefix(path, "/") }

// mode is a file's, in the numbers of a tar.
func mode(f File, usual fs.FileMode) int64 {
	m := f.Mode
	if m == 0 {
		m = usual
	}
	bits := int64(m.Perm())
	if m&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return bits
}
