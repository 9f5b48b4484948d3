// SPDX-License-Identifier: Apache-2.0

// Command recordings is `make recordings`: it runs each demo in a guest, in the tier full, and writes what was recorded to
// demos/recordings. The guest's console is all that comes out of it: the recordings come as text.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"beltrace/demos"
	"beltrace/demos/recordings"
	"beltrace/test/result"
)

const (
	// marker begins a line of a recording on the console.
	marker = "recording:"
	// kernel is the guest's: the one of Debian stable.
	kernel = "6.12"
	// maxSize is how large a recording may be, in bytes: it is part of the program.
	maxSize = 200_000
	dir     = "demos/recordings"
)

func main() {
	only := flag.String("demo", "", "only the demo of this `name`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := record(ctx, *only); err != nil {
		fmt.Fprintln(os.Stderr, "recordings:", err)
		os.Exit(1)
	}
}

// record runs the guest and writes what came of it; also what came before something failed.
func record(ctx context.Context, only string) error {
	tests := "^TestRecord$"
	var want []string
	for _, d := range demos.All() {
		if only == "" || d.Name == only {
			want = append(want, d.Name)
		}
	}
	if len(want) == 0 {
		return fmt.Errorf("no demo is called %s", only)
	}
	if only != "" {
		tests += "/^" + only + "$"
	}
	cmd := exec.CommandContext(ctx, "go", "run", "./test/vm", "-json", "-kernel", kernel, "-arch", "amd64", "-tier", "full",
		"-packages", "./test/recordings", "-run", tests)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	took := tapes{}
	log := result.Log{}
	if read := log.Read(bytes.NewReader(out), func(string) {}); read != nil {
		return read
	}
	for _, line := range outputs(out) {
		took.add(line)
	}
	for _, f := range log.Failures() {
		fmt.Fprintln(os.Stderr, f)
	}
	for _, name := range want {
		err = errors.Join(err, took.write(name))
	}
	return err
}

// outputs returns what the tests printed, line by line.
func outputs(events []byte) []string {
	var all strings.Builder
	for line := range bytes.Lines(events) {
		var e result.Event
		if json.Unmarshal(line, &e) == nil && e.Action == "output" {
			all.WriteString(e.Output)
		}
	}
	return strings.Split(all.String(), "\n")
}

// tape is a recording as it comes over the console.
type tape struct {
	text strings.Builder
	sum  string // of all of it, at its end
}

// tapes are by the demo's name.
type tapes map[string]*tape

// add takes a line, which may be of no recording.
func (t tapes) add(line string) {
	_, rest, ok := strings.Cut(line, marker+" ")
	words := strings.Fields(rest)
	if !ok || len(words) < 2 {
		return
	}
	if t[words[0]] == nil || t[words[0]].sum != "" { // a second try begins anew
		t[words[0]] = &tape{}
	}
	if words[1] == "end" && len(words) == 3 {
		t[words[0]].sum = words[2]
		return
	}
	t[words[0]].text.WriteString(words[1])
}

// write writes a recording that came whole.
func (t tapes) write(name string) error {
	tape := t[name]
	if tape == nil || tape.sum == "" {
		return fmt.Errorf("demo %s: no recording came", name)
	}
	data, err := base64.StdEncoding.DecodeString(tape.text.String())
	if err != nil || sum(data) != tape.sum {
		return fmt.Errorf("demo %s: the recording came damaged: %v", name, err)
	}
	if len(data) > maxSize {
		return fmt.Errorf("demo %s: its recording has %d bytes, at most %d are kept in the program", name, len(data), maxSize)
	}
	path := filepath.Join(dir, name+recordings.Suffix)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	fmt.Printf("%s  %.1f kB\n", path, float64(len(data))/1e3)
	return nil
}

func sum(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }
