// SPDX-License-Identifier: Apache-2.0

package beltrace_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"beltrace/collector/probes"
	"beltrace/internal/testkit"
)

const factsBegin, factsEnd = "<!-- facts: written by `make docs` from the table of probes -->\n", "<!-- facts: end -->"

// TestDocsReadme tests that the README says of each tier what the table of probes says; `make docs` writes it.
func TestDocsReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), factsBegin)
	_, tail, closed := strings.Cut(rest, factsEnd)
	if !ok || !closed {
		t.Fatal("README.md has no place for the facts")
	}
	testkit.Golden(t, "README.md", []byte(head+factsBegin+factsTable(t)+factsEnd+tail))
}

// facts words each fact of the table for the README, in the order of a connection's life.
var facts = [][2]string{
	{probes.FactConnect, "a client's connect"},
	{probes.FactSYN, "each SYN that reaches a listener"},
	{probes.FactHandshake, "how long a handshake took"},
	{probes.FactEstablished, "that a connection is established"},
	{probes.FactListener, "which listener a connection came from"},
	{probes.FactWait, "its wait in the accept queue"},
	{probes.FactAccept, "accept: when, and by which thread"},
	{probes.FactFD, "the descriptor that accept returned"},
	{probes.FactAcceptQueue, "the accept queue's length at an accept"},
	{probes.FactSYNQueue, "the SYN queue's length"},
	{probes.FactBacklog, "the backlog"},
	{probes.FactAsked, "what listen() asked for"},
	{probes.FactSYNDrops, "SYNs that a listener refuses (tracepoint: from 6.14 on)"},
	{probes.FactACKDrops, "final ACKs that it refuses (tracepoint: from 6.14 on)"},
	{probes.FactDrops, "how many refusals in all (tracepoint: from 6.14 on)"},
	{probes.FactOverflows, "how many because the accept queue was full"},
	{probes.FactCookies, "SYN cookies sent and accepted"},
	{probes.FactDropReason, "SYNs dropped before they reach a listener, with the kernel's reason (from 5.17 on)"},
	{probes.FactAcceptError, "accept: which thread failed, and why"},
	{probes.FactRetransmit, "retransmissions"},
	{probes.FactReset, "resets"},
	{probes.FactClose, "the end of a connection, with its totals"},
	{probes.FactThreads, "what a thread does: running, waiting for a CPU, blocked"},
	{probes.FactBlockedOn, "in which system call it is blocked"},
	{probes.FactEpoll, "what an epoll loop finds at each wait, how long it waits and works"},
	{probes.FactSpurious, "how often it wakes up within a wait and finds nothing (while the scheduler is watched)"},
	{probes.FactEpollCtl, "what it adds to its epoll instance and removes"},
	{probes.FactEpollReady, "how often each of its descriptors was ready, and when last"},
	{probes.FactPoll, "the same of loops that wait in poll and select"},
	{probes.FactRings, "operations of io_uring: how many, how long, in which way"},
	{probes.FactCalls, "how many system calls it makes (demos that compare)"},
	{probes.FactTurn, "the bytes of each turn: ready, read, written, sent, acknowledged"},
	{probes.FactUnread, "how many bytes wait to be read"},
	{probes.FactLatency, "how long each call was in TCP (`trace read,write`)"},
	{probes.FactMark, "notes of cooperating servers (demos)"},
}

// factsTable says how true each fact is in each tier, with the best hook that the tier allows.
func factsTable(t *testing.T) string {
	var known []string
	for _, p := range probes.Table() {
		known = append(known, p.Facts...)
	}
	var b strings.Builder
	tiers := []probes.Tier{probes.Full, probes.Kprobe, probes.Tracepoint}
	b.WriteString("| fact |")
	for _, tier := range tiers {
		fmt.Fprintf(&b, " `%s` |", tier)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(tiers)) + "\n")
	for _, f := range facts {
		fmt.Fprintf(&b, "| %s |", f[1])
		for _, tier := range tiers {
			fmt.Fprintf(&b, " %s |", truth(f[0], tier))
		}
		b.WriteString("\n")
		i := slices.Index(known, f[0])
		if i < 0 {
			t.Fatalf("no probe delivers %q", f[0])
		}
		known = slices.Delete(known, i, i+1)
	}
	if len(known) > 0 {
		t.Errorf("no words for the facts %q: add them to facts", known)
	}
	return b.String()
}

// truth is the fidelity of a fact with the first hook of its probe that a tier allows.
func truth(fact string, tier probes.Tier) string {
	for _, p := range probes.Table() {
		if !slices.Contains(p.Facts, fact) {
			continue
		}
		for i := range p.Hooks {
			if h := &p.Hooks[i]; tier.Worse(h.Needs) == h.Needs {
				return string(probes.Fact(h, fact))
			}
		}
	}
	return string(probes.Fact(nil, fact))
}

// TestReadmeExamples runs the examples that need no privileges and looks for the lines that the README shows, in their
// order; a line "…" stands for others.
func TestReadmeExamples(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "beltrace"), "./cmd/beltrace")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	examples := 0
	for _, e := range consoleExamples(t, "README.md") {
		if !strings.HasPrefix(e.command, "bin/beltrace ") || len(e.output) == 0 {
			continue
		}
		examples++
		command := exec.Command("bash", "-o", "pipefail", "-c", strings.Replace(e.command, "bin/beltrace", filepath.Join(dir, "beltrace"), 1))
		command.Env = append(os.Environ(), "TZ=UTC") // the README has times of day
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", e.command, err, out)
			continue
		}
		if missing, ok := inOrder(strings.Split(string(out), "\n"), e.output); !ok {
			t.Errorf("%s prints no line %q where the README has it; it prints\n%s", e.command, missing, out)
		}
	}
	if examples < 2 {
		t.Errorf("%d examples: the README shows two at least", examples)
	}
}

// example is a command with the output that is shown for it.
type example struct {
	command string
	output  []string
}

// consoleExamples returns the commands of the console blocks.
func consoleExamples(t *testing.T, path string) []example {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []example
	for _, block := range regexp.MustCompile("(?ms)^```console\n(.*?)^```").FindAllSubmatch(text, -1) {
		for line := range strings.Lines(string(block[1])) {
			line = strings.TrimSuffix(line, "\n")
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				all = append(all, example{command: command})
			} else if n := len(all); n > 0 {
				all[n-1].output = append(all[n-1].output, line)
			}
		}
	}
	return all
}

// inOrder reports whether the wanted lines stand in got in their order, or else the first that does not.
func inOrder(got, want []string) (missing string, ok bool) {
	for _, w := range want {
		if w == "…" {
			continue
		}
		i := slices.Index(got, w)
		if i < 0 {
			return w, false
		}
		got = got[i+1:]
	}
	return "", true
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	codePath = regexp.MustCompile("`((?:\\.ci|LICENSES|bpf|cmd|collector|demos|docs|internal|scripts|test|tui)/[\\w./*-]*)`")
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks tests that what the documents point at is there: files, headings, and the paths that they name.
func TestLinks(t *testing.T) {
	links := 0
	for _, doc := range sources(t, ".md") {
		for _, m := range link.FindAllSubmatch(doc.text, -1) {
			links++
			if err := follow(doc.path, string(m[1])); err != nil {
				t.Errorf("%s: link %s: %v", doc.path, m[1], err)
			}
		}
		for _, m := range codePath.FindAllSubmatch(doc.text, -1) {
			pattern := strings.ReplaceAll(string(m[1]), "NAME", "*")
			if found, err := filepath.Glob(pattern); err != nil || len(found) == 0 {
				t.Errorf("%s names %s, which is not there", doc.path, m[1])
			}
		}
	}
	if links < 10 {
		t.Errorf("%d links found: the README alone has more", links)
	}
}

// follow checks a link of a document: addresses of other hosts are not asked.
func follow(doc, target string) error {
	if strings.Contains(target, "://") {
		return nil
	}
	path, anchor, _ := strings.Cut(target, "#")
	file := doc
	if path != "" {
		file = filepath.Join(filepath.Dir(doc), path)
	}
	if _, err := os.Stat(file); err != nil {
		return err
	}
	if anchor == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for _, m := range heading.FindAllSubmatch(text, -1) {
		if slug(m[1]) == anchor {
			return nil
		}
	}
	return fmt.Errorf("%s has no heading #%s", file, anchor)
}

// slug is how a heading is named in a link.
func slug(heading []byte) string {
	s := notSlug.ReplaceAllString(string(bytes.ToLower(heading)), "")
	return strings.ReplaceAll(strings.TrimSpace(s), " ", "-")
}

// TestFollow tests the test: a link that leads nowhere is found.
func TestFollow(t *testing.T) {
	for target, ok := range map[string]bool{
		"CONTRIBUTING.md": true, "CONTRIBUTING.md#house-rules": true, "docs/": true, "https://example.com/x": true,
		"CONTRIBUTING.md#no-such": false, "docs/no-such.md": false, "#no-such": false,
	} {
		if err := follow("README.md", target); (err == nil) != ok {
			t.Errorf("link %s: %v, want it to lead somewhere: %v", target, err, ok)
		}
	}
	if missing, ok := inOrder([]string{"a", "b", "c"}, []string{"a", "…", "c", "b"}); ok || missing != "b" {
		t.Errorf("lines in another order: %q, %v", missing, ok)
	}
}
