// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// entry is a file of an archive.
type entry struct {
	name string // within the archive, with slashes
	data []byte
	exec bool
}

func readEntry(name, from string) (entry, error) {
	data, err := os.ReadFile(from)
	return entry{name: name, data: data}, err
}

// readTree reads the files of a folder.
func readTree(name, root string) ([]entry, error) {
	var all []entry
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		e, err := readEntry(path.Join(name, filepath.ToSlash(rel)), p)
		all = append(all, e)
		return err
	})
	return all, err
}

// archive writes the files, in the order of their names, below the folder name to name.tar.gz.
func (r *release) archive(name string, files []entry) error {
	slices.SortFunc(files, func(a, b entry) int { return cmp.Compare(a.name, b.name) })
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zip)
	for _, f := range files {
		h := tar.Header{Name: name + "/" + f.name, Mode: 0o644, Size: int64(len(f.data)), ModTime: r.Time, Format: tar.FormatUSTAR}
		if f.exec {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			return fmt.Errorf("pack %s: %w", f.name, err)
		}
		if _, err := w.Write(f.data); err != nil {
			return fmt.Errorf("pack %s: %w", f.name, err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	if err := zip.Close(); err != nil {
		return fmt.Errorf("pack %s: %w", name, err)
	}
	return os.WriteFile(filepath.Join(r.Dist, name+".tar.gz"), out.Bytes(), 0o644)
}

// static refuses a program that needs a loader or a library where it runs.
func static(binary string) error {
	f, err := elf.Open(binary)
	if err != nil {
		return fmt.Errorf("look at what was built: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			return fmt.Errorf("what was built is not static: it has a segment %v", p.Type)
		}
	}
	return nil
}

var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// dependencies returns the licences of everything that is linked into the program for that system, Go's own included.
func dependencies(env []string) ([]entry, error) {
	const dirs = `{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-f", dirs, "./cmd/beltrace")
	cmd.Env = append(os.Environ(), append(env, "CGO_ENABLED=0")...)
	cmd.Stderr = os.Stderr
	list, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list what is linked: %w", err)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("find Go: %w", err)
	}
	modules := append(strings.Split(strings.TrimSpace(string(list)), "\n"), "go "+strings.TrimSpace(string(root)))
	slices.Sort(modules)
	var all []entry
	for _, m := range slices.Compact(modules) {
		name, dir, ok := strings.Cut(m, " ")
		if !ok {
			continue
		}
		found, err := licencesIn(name, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// licencesIn returns a module's licences; one without must not be shipped unnoticed.
func licencesIn(module, dir string) ([]entry, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("licence of %s: %w", module, err)
	}
	var all []entry
	for _, f := range files {
		if f.IsDir() || !licence.MatchString(f.Name()) {
			continue
		}
		e, err := readEntry("licenses/"+module+"/"+f.Name(), filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("licence of %s: %w", module, err)
		}
		all = append(all, e)
	}
	if len(all) == 0 && module != "go" {
		return nil, fmt.Errorf("module %s has no licence in %s", module, dir)
	}
	return all, nil
}
