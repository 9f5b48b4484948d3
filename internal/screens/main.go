// SPDX-License-Identifier: Apache-2.0

// Command screens draws the pictures of the README: it replays docs/screens/*.ndjson.zst in the real dashboard, in a
// tmux of its own, and writes what stands there as SVG. With -record it makes the recording anew first, which needs
// root: four small servers with their clients, watched by the real beltrace. scripts/screens.sh runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

const (
	dir       = "docs/screens"
	recording = dir + "/traffic.ndjson.zst"
	program   = "bin/beltrace"
)

// pictures are the screens of the recording's end: the file's name, what it shows, how many lines it needs, and the keys
// that lead there from the picture before.
var pictures = []struct {
	name, title string
	rows        int
	keys        []string
	wait        string // stands on the screen when it is there
}{
	{"overview", "The overview: four services, and the accept queue of one of them is full", 24, []string{"1"}, "SERVICE"},
	{"listeners", "The listeners, the fullest accept queue first", 24, []string{"2"}, "LISTENER"},
	{"listener", "One listener opened: who waits, who accepts, how long the waits are", 36, []string{"Enter"}, "WAITING NOW"},
	{"connections", "The connections, those that wait for accept first", 30, []string{"Escape", "3"}, "REMOTE"},
	{"request", "A request opened: where its time went, phase by phase", 24, []string{"4", "Enter"}, "first byte"},
	{"finding", "A finding opened: what happens, what the kernel does, what to change", 28, []string{"8", "Enter"}, "WHAT TO CHANGE"},
	{"events", "The events, the newest first", 24, []string{"9"}, "EVENT"},
}

func main() {
	record := flag.Bool("record", false, "make the recording anew (as root)")
	role := flag.String("role", "", "be one of the recorded programs")
	flag.Parse()
	if err := run(*record, *role); err != nil {
		fmt.Fprintln(os.Stderr, "screens:", err)
		os.Exit(1)
	}
}

func run(record bool, role string) error {
	if role != "" {
		return play(role)
	}
	if record {
		if err := makeRecording(program, recording); err != nil {
			return err
		}
	}
	return draw()
}

// draw replays the recording and writes the pictures.
func draw() error {
	t, err := openTerminal(program, recording)
	if err != nil {
		return err
	}
	defer t.close()
	if err := t.settle(); err != nil {
		return err
	}
	for _, p := range pictures {
		text, err := t.show(p.rows, p.keys, p.wait)
		if err != nil {
			return fmt.Errorf("picture %s: %w", p.name, err)
		}
		lines, err := parse(text, columns)
		if err != nil {
			return fmt.Errorf("picture %s: %w", p.name, err)
		}
		path := filepath.Join(dir, p.name+".svg")
		if err := os.WriteFile(path, svg(lines, columns, p.title), 0o644); err != nil {
			return err
		}
		fmt.Println(path)
	}
	return nil
}
