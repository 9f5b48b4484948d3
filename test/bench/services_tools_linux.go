// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"

	"beltrace/bpf"
	"beltrace/collector/probes"
)

// boardSets are what the dashboard's first page needs, ringSets what its page of rings does, besides what always runs.
var (
	boardSets = []probes.Set{probes.Data, probes.Sched}
	ringSets  = []probes.Set{probes.Rings}
	jsonSets  = []probes.Set{probes.Data, probes.Sched, probes.Loops, probes.Readiness, probes.Rings}
)

const (
	boardWhat = "the dashboard's first page (`beltrace` on a terminal): connections, turns of conversations, what threads do"
	allWhat   = "`beltrace top --headless --json >/dev/null`: also event loops, what becomes ready in them, and rings; a snapshot every 5 s"
	ringWhat  = "the dashboard's page of rings (key 6)"
	callsWhat = "`bpftrace test/bench/calls.bt`, into a file in memory, with buffers of 2 MiB for each core; *lost*: lines"
	emptyWhat = "the same hooks, with programs that do nothing: the floor"
)

// serviceOf describes a part, with the tools that are there.
func (s *session) serviceOf(ctx context.Context, part string) (*service, error) {
	v := describeService(part)
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	beltrace, err := filepath.Abs(s.Beltrace)
	if err != nil {
		return nil, err
	}
	empty := func(name string, sets []probes.Set) tool {
		hooks, _, err1 := hooksInUse(ctx, sets...)
		if err1 != nil {
			err = err1
		}
		return tool{Name: name, What: emptyWhat, Argv: []string{self, roleEmpty, strings.Join(hooks, ",")}, TraceFS: true}
	}
	dashboard := tool{Name: board, What: boardWhat, Argv: []string{beltrace}, Dashboard: true, Env: []string{"TERM=xterm-256color"}}
	all := tool{Name: allSets, What: allWhat, Argv: []string{beltrace, "top", "--headless", "--json"}}
	if part == partNginx {
		all.Count = answersSeen
	}
	calls := tool{Name: callLines, What: callsWhat, Argv: []string{"bpftrace", "test/bench/calls.bt"}, Env: []string{"BPFTRACE_PERF_RB_PAGES=512"}, TraceFS: true, Lost: linesLost}
	tools := []tool{empty(emptyDefault, boardSets), dashboard, empty(emptyAll, jsonSets), all, calls}
	if part == partRing {
		dashboard.Name, dashboard.What, dashboard.Keys = ringPage, ringWhat, "6"
		all.Count = operationsSeen
		tools = []tool{empty(emptyRings, ringSets), dashboard, empty(emptyAll, jsonSets), all}
	}
	for _, t := range tools {
		if len(s.Only) > 0 && !slices.Contains(s.Only, t.Name) {
			continue
		}
		if _, err := exec.LookPath(t.Argv[0]); err != nil {
			v.LeftOut = append(v.LeftOut, t.Argv[0]+" is not installed")
			continue
		}
		v.Tools = append(v.Tools, t)
	}
	return v, err
}

// answersSeen adds up, from the last snapshot, the requests that routes of the load's server have counted, and those of which
// the two turns are left out of the sample.
func answersSeen(out []byte) (n uint64, err error) {
	var last struct {
		Lost   struct{ Sample uint64 }
		Routes []struct {
			Listener string
			Count    uint64
		}
	}
	if err := lastOf(out, &last); err != nil {
		return 0, err
	}
	for _, r := range last.Routes {
		if strings.HasSuffix(r.Listener, ":"+strconv.Itoa(loadPort)) {
			n += r.Count
		}
	}
	return n + last.Lost.Sample/2, nil
}

// operationsSeen adds up, from the last snapshot, the completions of all rings.
func operationsSeen(out []byte) (n uint64, err error) {
	var last struct {
		Rings []struct {
			Ops map[string]struct{ Count uint64 }
		}
	}
	if err := lastOf(out, &last); err != nil {
		return 0, err
	}
	for _, r := range last.Rings {
		for _, op := range r.Ops {
			n += op.Count
		}
	}
	return n, nil
}

// lastOf reads the last one of some JSON objects.
func lastOf(out []byte, v any) error {
	var last json.RawMessage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		switch err := dec.Decode(&last); err {
		case nil:
		case io.EOF:
			return json.Unmarshal(last, v)
		default:
			return fmt.Errorf("snapshot: %w", err)
		}
	}
}

var lostEvents = regexp.MustCompile(`(?m)^Lost (\d+) events$`)

// linesLost reads how many lines bpftrace says that it lost.
func linesLost(out []byte) (lost, told uint64) {
	for _, m := range lostEvents.FindAllSubmatch(out, -1) {
		n, _ := strconv.ParseUint(string(m[1]), 10, 64)
		lost += n
	}
	return lost, uint64(bytes.Count(out, []byte(" bytes=")))
}

// tally is what a tool lost so far, and what it told if its output is counted.
type tally struct{ lost, told, skipped float64 }

// losses is what a tool says that it lost, if it says anything.
func (r *running) losses(path string) (n tally, known bool, err error) {
	if r.counts == nil {
		return r.kernelLosses()
	}
	text, err := os.ReadFile(path)
	lost, told := r.counts(text)
	return tally{lost: float64(lost), told: float64(told)}, true, err
}

// kernelLosses is what beltrace's programs say that they lost, records and states, and what turns they left out of the sample.
func (r *running) kernelLosses() (n tally, known bool, err error) {
	dir := fmt.Sprintf("/proc/%d/fdinfo", r.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return n, false, err
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // it was closed meanwhile
		}
		its, found, err := lossMap(numberOf(text, "map_id:"))
		if err != nil {
			return n, false, err
		}
		n.lost, n.skipped, known = n.lost+its.lost, n.skipped+its.skipped, known || found
	}
	return n, known, nil
}

// lossMap adds up what was lost in a map of that id, if it is beltrace's of losses.
func lossMap(id float64) (n tally, found bool, err error) {
	if id == 0 {
		return n, false, nil
	}
	m, err := ebpf.NewMapFromID(ebpf.MapID(id))
	if err != nil {
		return n, false, err
	}
	defer m.Close()
	info, err := m.Info()
	if err != nil || info.Name != "lost" {
		return n, false, err
	}
	for _, where := range []bpf.KernelLostWhere{bpf.KernelLostWhereLOST_RING, bpf.KernelLostWhereLOST_MAP, bpf.KernelLostWhereNOT_SAMPLED} {
		var perCPU []uint64
		if err := m.Lookup(uint32(where), &perCPU); err != nil {
			return n, false, err
		}
		of := &n.lost
		if where == bpf.KernelLostWhereNOT_SAMPLED {
			of = &n.skipped
		}
		for _, count := range perCPU {
			*of += float64(count)
		}
	}
	return n, true, nil
}

func numberOf(fdinfo []byte, key string) float64 {
	for line := range strings.Lines(string(fdinfo)) {
		if value, ok := strings.CutPrefix(line, key); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return n
		}
	}
	return 0
}
