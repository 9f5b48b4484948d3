// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type cpioEntry struct {
	Name, Data   string
	Mode         uint64
	Major, Minor uint64
}

// readCpio is the format's other half, written from cpio(5).
func readCpio(b []byte) ([]cpioEntry, error) {
	var all []cpioEntry
	for {
		if len(b) < 110 || string(b[:6]) != "070701" {
			return all, fmt.Errorf("no header at %q", b[:min(len(b), 12)])
		}
		field := func(i int) uint64 {
			n, err := strconv.ParseUint(string(b[6+8*i:14+8*i]), 16, 32)
			if err != nil {
				panic(err)
			}
			return n
		}
		align := func(n uint64) uint64 { return (n + 3) / 4 * 4 }
		size, nameSize := field(6), field(11)
		data := align(110 + nameSize)
		e := cpioEntry{string(b[110 : 110+nameSize-1]), string(b[data : data+size]), field(1), field(9), field(10)}
		if e.Name == "TRAILER!!!" {
			return all, nil
		}
		all = append(all, e)
		b = b[align(data+size):]
	}
}

func TestCpio(t *testing.T) {
	var buf bytes.Buffer
	c := &cpioWriter{w: &buf}
	c.dir("bin")
	c.file("bin/a", 0o755, []byte("12345"))
	c.file("etc", 0o644, nil)
	c.link("sh", "bin/a")
	c.char("dev/console", 5, 1)
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	got, err := readCpio(buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	want := []cpioEntry{
		{"bin", "", 0o40755, 0, 0}, {"bin/a", "12345", 0o100755, 0, 0}, {"etc", "", 0o100644, 0, 0},
		{"sh", "bin/a", 0o120777, 0, 0}, {"dev/console", "", 0o20600, 5, 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// TestCpioWriteError tests that a full disk is not taken for a whole archive.
func TestCpioWriteError(t *testing.T) {
	c := &cpioWriter{w: brokenWriter{}}
	c.dir("bin")
	if err := c.close(); !errors.Is(err, errDisk) {
		t.Errorf("close: %v, want %v", err, errDisk)
	}
}

var errDisk = errors.New("disk full")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errDisk }
