// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"beltrace/collector/insight"
	"beltrace/collector/live"
	"beltrace/collector/model"
	"beltrace/collector/probes"
	"beltrace/demos"
	"beltrace/demos/demo"
	"beltrace/internal/view"
)

const demoLong = `Start a small real backend and its clients, watch them, and prove a lesson.

Server and client are processes of their own on loopback; only they are watched. With a
terminal the lesson stands beside the dashboard: n and p turn its pages, l shows one in full,
r runs the client again. Without one, or with --headless or --json, the demo ends by itself: exit status 1
says that the kernel was seen not to do what the lesson claims.

Without a name: the list. With --compare and the name of a group, each of its demos runs
once, and one table shows what the same work cost.`

// demoFlags say how a demo is run.
type demoFlags struct {
	headless  bool
	json      bool
	serveOnly bool
	listen    string
	tier      string
	record    string
	verbose   bool
	compare   bool
}

func (a *app) demoCmd() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo [NAME] [-- ARGS...]",
		Short: "Run a demo backend and prove its lesson",
		Long:  demoLong,
		Example: `  sudo beltrace demo request-response
  sudo beltrace demo connect-accept --json
  sudo beltrace demo execution --compare
  beltrace demo request-response --serve-only --listen 8080`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.listDemos(c)
			}
			if dash := c.ArgsLenAtDash(); dash > 1 || dash < 0 && len(args) > 1 {
				return usagef("beltrace demo takes one name, not %q", strings.Join(args, " "))
			}
			if f.compare {
				if f.serveOnly || f.record != "" || f.listen != "" || len(args) > 1 {
					return usagef("--compare takes the name of a group, and --json")
				}
				return a.compareDemos(c.Context(), &f, args[0])
			}
			return a.demo(c.Context(), &f, args[0], args[1:])
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, d := range demos.All() {
				if len(args) == 0 {
					names = append(names, d.Name+"\t"+d.Summary)
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
	fs := c.Flags()
	fs.BoolVar(&f.headless, "headless", false, "no dashboard: print tables and claims, then end")
	fs.BoolVar(&f.json, "json", false, "print the claims as one JSON object, then end")
	fs.BoolVar(&f.serveOnly, "serve-only", false, "only serve, and print the address (--json: as an object); needs no privileges")
	fs.StringVar(&f.listen, "listen", "", "`address` or port of the server (default: a free port on loopback)")
	fs.StringVar(&f.tier, "tier", "", "use no hook above this `tier`: full, kprobe or tracepoint")
	fs.MarkHidden("tier")
	fs.StringVar(&f.record, "record", "", "without a dashboard: also write the run to `file`, with what its programs said")
	fs.MarkHidden("record")
	fs.BoolVar(&f.compare, "compare", false, "run the demos of a group (execution) and print one table")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "tell how each probe is attached")
	return c
}

// demo runs the demo of that name.
func (a *app) demo(ctx context.Context, f *demoFlags, name string, args []string) error {
	d, err := findDemo(name)
	if err != nil {
		return err
	}
	listen, err := listenAddr(f.listen)
	if err != nil {
		return err
	}
	if err := runnable(d); err != nil {
		return err
	}
	r := &demoRunner{demo: d, listen: listen, args: args}
	r.log = func(role, line string) { a.say("demo %s: %s", role, line) }
	if f.serveOnly {
		return a.serveDemo(ctx, r, f.json)
	}
	return a.watchDemo(ctx, f, r)
}

// serving is what --serve-only --json prints.
type serving struct {
	Demo   string `json:"demo"`
	Title  string `json:"title"`
	Server string `json:"server"` // where it listens
	PID    int    `json:"pid"`
}

// serveDemo runs the server alone until ctx ends.
func (a *app) serveDemo(ctx context.Context, r *demoRunner, asJSON bool) error {
	defer r.Stop()
	if err := r.StartServer(); err != nil {
		return err
	}
	if err := r.Serve(ctx); err != nil {
		return err
	}
	a.say("serving %s until Ctrl-C", r.demo.Name)
	if !watchable {
		a.say("no kernel evidence here: %s has no Linux kernel to watch; make vm has one, and a replay shows the lesson", runtime.GOOS)
	}
	if err := a.tellServer(r, asJSON); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return nil
	case <-r.server.Ended:
		return r.died(r.server)
	}
}

// tellServer prints where the server listens.
func (a *app) tellServer(r *demoRunner, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.out).Encode(serving{r.demo.Name, r.demo.Lesson.Title, r.state.Addr(), r.server.PID})
	}
	_, err := fmt.Fprintln(a.out, r.state.Addr())
	return err
}

// watchDemo runs server and client and watches them.
func (a *app) watchDemo(ctx context.Context, f *demoFlags, r *demoRunner) error {
	out := outFlags{json: f.json, headless: f.headless}
	if out.dashboard(a) {
		lines := &tail{}
		r.log = func(role, line string) { fmt.Fprintf(lines, "%s: %s\n", role, line) }
		return a.showDemo(ctx, f, r, &out, lines)
	}
	seen, claims, err := a.runDemo(ctx, f, r)
	if err != nil {
		return err
	}
	return a.reportDemo(f, r.demo, seen, claims)
}

// runDemo runs server and client once and returns what was seen of them.
func (a *app) runDemo(ctx context.Context, f *demoFlags, r *demoRunner) (demo.Seen, []judged, error) {
	w, s, err := a.openDemo(ctx, f, r)
	if err != nil {
		return demo.Seen{}, nil, err
	}
	defer r.Stop()
	tape := newDemoTape(f.record, s.header)
	if tape != nil {
		r.toEnd = true
		w.Sinks = append(w.Sinks, tape)
	}
	w.Job = func(ctx context.Context) error { return r.Play(ctx, w.Snapshot) }
	if err := w.Run(ctx); err != nil {
		return demo.Seen{}, nil, err
	}
	r.state.Close()
	if err := tape.Save(r.state.Words(r.demo.Name)); err != nil {
		return demo.Seen{}, nil, err
	}
	seen, claims := r.Judge(w.Snapshot())
	return seen, claims, nil
}

// showDemo runs the demo beside its lesson until the user quits.
func (a *app) showDemo(ctx context.Context, f *demoFlags, r *demoRunner, out *outFlags, lines *tail) error {
	w, s, err := a.openDemo(ctx, f, r)
	if err != nil {
		return err
	}
	defer r.Stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := newLessonPlayer(r, s.WatchPID)
	pages := &lessonPages{lesson: &r.demo.Lesson, latest: w.Snapshot, again: p.wish, judge: func(snap *model.Snapshot) []judged {
		_, claims := r.Judge(snap)
		return claims
	}}
	w.Job = func(ctx context.Context) error {
		err := p.Play(ctx)
		if err != nil {
			cancel() // a demo that broke is no reason to keep its dashboard
		}
		return err
	}
	a.present(w, s, out, "demo "+r.demo.Name)
	w.Dashboard.Lesson, w.Dashboard.Output, w.Dashboard.Start = pages.View, lines.Lines, r.demo.Lesson.Steps[0].Page
	return w.Run(ctx)
}

// watchMarks has the notes told of the servers that cooperate: those of demos, which are this program, too.
func watchMarks(c *live.Config) {
	c.Marks, c.MarkSymbol = []string{"/proc/self/exe"}, demo.MarkSymbol
}

// openDemo starts the demo's processes, which wait, and attaches to them.
func (a *app) openDemo(ctx context.Context, f *demoFlags, r *demoRunner) (*watch, *session, error) {
	var c live.Config
	watchMarks(&c)
	if f.tier != "" {
		tier, err := probes.ParseTier(f.tier)
		if err != nil {
			return nil, nil, usagef("--tier: %v", err)
		}
		c.Tier = tier
	}
	if r.demo.Measure != nil {
		c.Want = append(c.Want, probes.Calls)
	}
	if err := r.Start(); err != nil {
		r.Stop()
		return nil, nil, err
	}
	c.PIDs = []uint32{uint32(r.server.PID), uint32(r.client.PID)}
	s, err := a.open(ctx, c, f.verbose)
	if err != nil {
		r.Stop()
		return nil, nil, err
	}
	s.header.Watch = string(insight.Alone)
	if r.space != nil { // nobody else is in it
		s.header.Watch = string(insight.Whole)
	}
	a.say("%s", s.watching("demo "+r.demo.Name))
	return s.watch(), s, nil
}

// reportDemo prints how the claims came out. One that failed is the exit status 1.
func (a *app) reportDemo(f *demoFlags, d *demo.Demo, seen demo.Seen, claims []judged) error {
	var err error
	if f.json {
		err = writeResult(a.out, d, seen, claims)
	} else if err = view.Text(a.out, seen.Snapshot); err == nil {
		return a.conclude(d, seen, claims)
	}
	if err == nil && count(claims, demo.Refuted) > 0 {
		err = status(exitFailed)
	}
	return err
}

// conclude prints a lesson's claims, and what the demo is compared by. A claim that failed is the exit status 1.
func (a *app) conclude(d *demo.Demo, seen demo.Seen, claims []judged) error {
	err := writeLesson(a.out, &d.Lesson, claims)
	if err == nil && d.Measure != nil {
		_, err = fmt.Fprintln(a.out, measureLine(d.Measure(seen)))
	}
	if err == nil && count(claims, demo.Refuted) > 0 {
		err = status(exitFailed)
	}
	return err
}

// listenAddr reads what --listen says: an address, a port on loopback, or nothing: any free port on loopback.
func listenAddr(s string) (string, error) {
	if s == "" {
		return "127.0.0.1:0", nil
	}
	if port, err := strconv.ParseUint(s, 10, 16); err == nil {
		return net.JoinHostPort("127.0.0.1", strconv.FormatUint(port, 10)), nil
	}
	at, err := netip.ParseAddrPort(s)
	if err != nil {
		return "", usagef("--listen %s: an address like 127.0.0.1:8080, or a port", s)
	}
	return at.String(), nil
}
