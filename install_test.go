// SPDX-License-Identifier: Apache-2.0

package beltrace_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall tests that make hands PREFIX on as it was given, and says what to do where it is empty. The program is a
// script that stands in for it.
func TestInstall(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("needs make")
	}
	dir := t.TempDir()
	for _, name := range []string{"bin", "scripts"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := "#!/bin/sh\n[ \"$1\" != __man ] || echo .TH >\"$2/beltrace.1\"\n"
	if err := os.WriteFile(filepath.Join(dir, "bin/beltrace"), []byte(program), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Makefile", "scripts/install.sh"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	install := func(words ...string) (string, error) {
		out, err := exec.Command("make", append([]string{"-s", "-C", dir, "-o", "build", "install"}, words...)...).CombinedOutput()
		return string(out), err
	}
	const prefix = `/it's "a" prefix`
	if out, err := install("PREFIX="+prefix, "DESTDIR="+dir+"/it's"); err != nil {
		t.Errorf("%v, it says\n%s", err, out)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "it's"+prefix, "bin/beltrace")); err != nil || string(got) != program {
		t.Errorf("installed %q, %v", got, err)
	}
	out, err := install("PREFIX=")
	const want = "install: PREFIX is empty: name the folder to install below, as in make install PREFIX=/usr/local"
	if first, rest, _ := strings.Cut(out, "\n"); err == nil || first != want || strings.Count(rest, "\n") != 1 {
		t.Errorf("%v, it says\n%swant %q, and what make adds", err, out, want)
	}
}
