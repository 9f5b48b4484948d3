// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestArchive tests that the same files give the same bytes, in whatever order and whenever they come.
func TestArchive(t *testing.T) {
	a := entry{name: "beltrace", data: []byte("program"), exec: true}
	b := entry{name: "LICENSE", data: []byte("text")}
	c := entry{name: "man/man1/beltrace.1", data: []byte(".TH")}
	first, second := pack(t, []entry{a, b, c}), pack(t, []entry{c, b, a})
	if !bytes.Equal(first, second) {
		t.Error("the order of the files shows in the archive")
	}
	var names []string
	zip, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(zip); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if program := h.Name == "x/beltrace"; program != (h.Mode == 0o755) {
			t.Errorf("%s has mode %o", h.Name, h.Mode)
		}
		if !h.ModTime.Equal(time.Unix(1e9, 0)) || h.Uid != 0 || h.Uname != "" {
			t.Errorf("%s is of %v and belongs to %d %q", h.Name, h.ModTime, h.Uid, h.Uname)
		}
	}
	if got := strings.Join(names, " "); got != "x/LICENSE x/beltrace x/man/man1/beltrace.1" {
		t.Errorf("archive holds %s", got)
	}
}

func pack(t *testing.T, files []entry) []byte {
	t.Helper()
	r := release{Dist: t.TempDir(), Time: time.Unix(1e9, 0).UTC()}
	if err := r.archive("x", files); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(r.Dist, "x.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestStatic tests that a program that needs a loader is not released.
func TestStatic(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs a Linux program that is linked dynamically: /bin/sh")
	}
	if err := static("/bin/sh"); err == nil || !strings.Contains(err.Error(), "not static") {
		t.Errorf("/bin/sh: %v", err)
	}
}

// TestLicences tests that a module without a licence stops the release.
func TestLicences(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"licenses.go", "README.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := licencesIn("example.com/none", dir); err == nil {
		t.Error("a module without a licence is no error")
	}
	if err := os.WriteFile(filepath.Join(dir, "LICENSE.txt"), []byte("MIT"), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := licencesIn("example.com/one", dir)
	if err != nil || len(got) != 1 || got[0].name != "licenses/example.com/one/LICENSE.txt" {
		t.Errorf("%v, %v", got, err)
	}
}
