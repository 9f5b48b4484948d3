// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"beltrace/collector/live"
	"beltrace/collector/probes"
)

// toolbox lists the tools, and why others are left out.
func toolbox(ctx context.Context, o options) (tools []tool, leftOut []string, tier probes.Tier, err error) {
	hooks, tier, err := hooksInUse(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	beltrace, err := filepath.Abs(o.Beltrace)
	if err != nil {
		return nil, nil, "", err
	}
	if _, err := os.Stat(beltrace); err != nil {
		return nil, nil, "", fmt.Errorf("%w (make build)", err)
	}
	self, err := os.Executable()
	if err != nil {
		return nil, nil, "", err
	}
	all := allTools(hooks, self, beltrace)
	for _, t := range all {
		if len(o.Only) > 0 && !slices.Contains(o.Only, t.Name) {
			continue
		}
		if _, err := exec.LookPath(t.Argv[0]); err != nil {
			leftOut = append(leftOut, t.Name+" is not installed")
			continue
		}
		tools = append(tools, t)
	}
	return tools, leftOut, tier, nil
}

// allTools lists the tools in the order of the document. self and beltrace are paths, hooks the programs that beltrace uses.
func allTools(hooks []string, self, beltrace string) []tool {
	return []tool{
		{
			Name: empty, What: "the hooks that beltrace uses here, with programs that do nothing: the floor",
			Argv: []string{self, roleEmpty, strings.Join(hooks, ",")}, TraceFS: true, Ready: "ready",
		},
		{
			Name: minimal, What: "one record of 56 bytes an event, no state, read every 20 ms and counted",
			Argv: []string{self, roleMinimal, strings.Join(minimalHooks(hooks), ",")}, TraceFS: true,
			Count: minimalSeen, Per: 6,
		},
		{
			Name: top, What: "`beltrace top --headless >/dev/null`: all connections in the model, a snapshot every 5 s, as the dashboard while no page asks for more; " +
				"its numbers are exact below 10,000, so fewer connections are made while they are counted",
			Argv: []string{beltrace, "top", "--headless"}, Ready: "watching", Count: topSeen, Per: 1,
		},
		{
			Name: topJSON, What: "`beltrace top --headless --json >/dev/null`: what threads, bytes, event loops and rings do as well, as the dashboard with all of its pages",
			Argv: []string{beltrace, "top", "--headless", "--json"}, Ready: "watching", Count: topJSONSeen, Per: 1,
		},
		{
			Name: trace, What: "`beltrace trace --json >/dev/null`: six lines a connection",
			Argv: []string{beltrace, "trace", "--json"}, Count: linesSeen(`:29417"`, `"(un)?listen"`), Per: 6,
		},
		{
			Name: bpftrace, What: "`bpftrace test/bench/connections.bt >/dev/null`: the same six lines, with buffers of 2 MiB for each core",
			Env:  []string{"BPFTRACE_PERF_RB_PAGES=512"},
			Argv: []string{"bpftrace", "test/bench/connections.bt"}, TraceFS: true, Count: linesSeen(`conn=.*:29417\b`, ` 0\.0\.0\.0:0 `), Per: 6,
		},
		{
			Name: tcplife, What: "libbpf-tools, `>/dev/null`: two lines a connection, at its end",
			Argv: []string{"tcplife"}, TraceFS: true, Count: linesSeen(` 29417 `, ` 0 `), Per: 2,
		},
		{
			Name: tcpstates, What: "libbpf-tools, `>/dev/null`: ten lines a connection, one for each change of state",
			Argv: []string{"tcpstates"}, TraceFS: true, Count: linesSeen(` 29417 .*->`, `CLOSE +-> LISTEN|LISTEN +-> CLOSE`), Per: 10,
		},
	}
}

// hooksInUse opens a session and returns the names of the programs that run while it watches, with those sets on demand.
func hooksInUse(ctx context.Context, sets ...probes.Set) ([]string, probes.Tier, error) {
	s, err := live.Open(ctx, live.Config{Want: sets})
	if err != nil {
		return nil, "", err
	}
	defer s.Close()
	var names []string
	for _, p := range s.Info().Probes {
		if p.Hook != nil && p.Hook.How != probes.Iter && p.Probe.Name != probes.FirstAccept && (!p.Probe.Set.OnDemand() || slices.Contains(sets, p.Probe.Set)) {
			names = append(names, p.Hook.Progs...)
		}
	}
	return names, s.Info().Tier, nil
}

// minimalHooks are the minimal tracer's, with the same mechanism for accept as beltrace's.
func minimalHooks(hooks []string) []string {
	names := []string{"state", "retransmit", "reset"}
	if slices.ContainsFunc(hooks, func(name string) bool { return strings.HasSuffix(name, "_sys_exit") }) {
		return append(names, "accept", "accept4")
	}
	return append(names, "accept_fexit")
}

// linesSeen counts the lines that match, but for those of the listener.
func linesSeen(pattern, listener string) func([]byte) (uint64, error) {
	re, not := regexp.MustCompile(pattern), regexp.MustCompile(listener)
	return func(out []byte) (n uint64, _ error) {
		for line := range bytes.Lines(out) {
			if re.Match(line) && !not.Match(line) {
				n++
			}
		}
		return n, nil
	}
}

// minimalSeen reads what the minimal tracer says at its end.
func minimalSeen(out []byte) (uint64, error) {
	_, n, ok := bytes.Cut(out, []byte("records "))
	if !ok {
		return 0, errors.New("the minimal tracer did not say how many records there were")
	}
	return strconv.ParseUint(string(bytes.TrimSpace(n)), 10, 64)
}

// errRounded says that a number is too large to be shown exactly.
var errRounded = errors.New("the number is rounded")

// topSeen reads from the last snapshot how many connections the load's listener accepted: the last column.
func topSeen(out []byte) (n uint64, err error) {
	const title, column = "LISTENER ", "ACCEPTED"
	at := bytes.LastIndex(out, []byte(title))
	if at < 0 {
		return 0, errors.New("top shows no listeners")
	}
	listeners, _, _ := bytes.Cut(out[at:], []byte("\n\n"))
	for line := range strings.Lines(string(listeners)) {
		fields := strings.Fields(line)
		last := fields[len(fields)-1]
		switch {
		case strings.HasPrefix(line, title) && last != column:
			return 0, fmt.Errorf("the last column of the listeners is %s, not %s", last, column)
		case !strings.Contains(line, ":"+strconv.Itoa(loadPort)+" "):
			continue
		}
		accepted, err := strconv.ParseUint(last, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s accepted: %w", last, errRounded)
		}
		n += accepted
	}
	return n, nil
}

// topJSONSeen reads the same from snapshots as JSON.
func topJSONSeen(out []byte) (n uint64, err error) {
	var last struct {
		Listeners []struct {
			Local    string
			Accepted uint64
		}
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		last.Listeners = nil
		if err := dec.Decode(&last); err != nil {
			return 0, fmt.Errorf("snapshot: %w", err)
		}
	}
	for _, l := range last.Listeners {
		if strings.HasSuffix(l.Local, ":"+strconv.Itoa(loadPort)) {
			n += l.Accepted
		}
	}
	return n, nil
}
