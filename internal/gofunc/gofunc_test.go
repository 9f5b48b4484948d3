// SPDX-License-Identifier: Apache-2.0

package gofunc

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// program has a function with a body that no other function has, so that its bytes prove that it was found.
const program = `package main

//go:noinline
func target(a, b uint64) uint64 { return a*0x1234567 ^ b }

func main() { println(target(1, 2)) }
`

// build compiles program and returns the path of the executable.
func build(t *testing.T, env []string, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	source, out := filepath.Join(dir, "main.go"), filepath.Join(dir, "main")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, args...), source)...)
	cmd.Env = append(append(os.Environ(), "GOFLAGS=", "GOOS=linux", "GOARCH="+runtime.GOARCH), env...)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %v: %v\n%s", args, err, msg)
	}
	return out
}

// constant is the program's odd number as the machine code of amd64 holds it.
var constant = []byte{0x67, 0x45, 0x23, 0x01}

func TestOffset(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the machine code that proves the place is amd64's")
	}
	tests := []struct {
		name string
		args []string
		cgo  bool
	}{
		{name: "plain"},
		{name: "no DWARF", args: []string{"-ldflags=-w"}},
		{name: "stripped", args: []string{"-ldflags=-s -w"}},
		{name: "PIE", args: []string{"-buildmode=pie"}},
		{name: "PIE stripped", args: []string{"-buildmode=pie", "-ldflags=-s -w"}},
		{name: "external linker stripped", args: []string{"-ldflags=-s -w -linkmode=external"}, cgo: true},
		{name: "external linker PIE stripped", args: []string{"-buildmode=pie", "-ldflags=-s -w -linkmode=external"}, cgo: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			env := []string{"CGO_ENABLED=0"}
			if tt.cgo {
				if _, err := exec.LookPath("gcc"); err != nil {
					t.Skip("needs gcc as the external linker")
				}
				env = []string{"CGO_ENABLED=1"}
			}
			path := build(t, env, tt.args...)
			off, err := Offset(path, "main.target")
			if err != nil {
				t.Fatal(err)
			}
			if code := bytesAt(t, path, off, 32); !bytes.Contains(code, constant) {
				t.Errorf("offset %#x holds % x, want the code with % x", off, code, constant)
			}
		})
	}
}

// TestOffsetOtherArchitecture finds the function in an executable of another machine, too.
func TestOffsetOtherArchitecture(t *testing.T) {
	path := build(t, []string{"CGO_ENABLED=0", "GOARCH=arm64"}, "-ldflags=-s -w")
	stripped, err := Offset(path, "main.target")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Offset(build(t, []string{"CGO_ENABLED=0", "GOARCH=arm64"}), "main.target")
	if err != nil {
		t.Fatal(err)
	}
	if stripped != plain || stripped == 0 {
		t.Errorf("offset %#x in the stripped executable, %#x in the plain one", stripped, plain)
	}
}

//go:noinline
func ourOwn(n int) int { return n * 7 }

func TestOffsetSelf(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	_ = ourOwn(1)
	off, err := Offset("/proc/self/exe", "beltrace/internal/gofunc.ourOwn")
	if err != nil {
		t.Fatal(err)
	}
	if off == 0 {
		t.Error("offset 0")
	}
}

func TestOffsetErrors(t *testing.T) {
	stripped := build(t, []string{"CGO_ENABLED=0"}, "-ldflags=-s -w")
	for _, path := range []string{stripped, build(t, []string{"CGO_ENABLED=0"})} {
		if _, err := Offset(path, "main.missing"); !errors.Is(err, ErrNotFound) {
			t.Errorf("missing function: %v", err)
		}
	}
	if _, err := Offset(filepath.Join(t.TempDir(), "none"), "main.target"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Offset(text, "main.target"); err == nil {
		t.Error("a shell script has a Go function")
	}
}

func bytesAt(t *testing.T, path string, off uint64, n int) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	code := make([]byte, n)
	if _, err := f.ReadAt(code, int64(off)); err != nil {
		t.Fatal(err)
	}
	return code
}
