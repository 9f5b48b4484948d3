// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"beltrace/collector/live"
)

func (a *app) runCmd() *cobra.Command {
	var f watchFlags
	var out outFlags
	c := &cobra.Command{
		Use:   "run [flags] -- CMD ARGS...",
		Short: "Start a command and watch it and its children",
		Long: `Start a command, as the user who called sudo, and watch it and its children only.

It begins when everything is attached. beltrace exits with its status (128+signal).`,
		Example: `  sudo beltrace run -- ./my-server --port 8080
  sudo beltrace run --once --json -- curl -s http://localhost:8080/`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("beltrace run needs a command: beltrace run -- CMD ARGS...")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.runCommand(c.Context(), &f, &out, args) },
	}
	c.Flags().SetInterspersed(false)
	f.add(c)
	out.add(c)
	return c
}

func (a *app) runCommand(ctx context.Context, f *watchFlags, out *outFlags, args []string) error {
	output, lines := a.err, (*tail)(nil)
	if out.dashboard(a) {
		lines = &tail{}
		output = lines
	}
	s, cmd, err := a.openCommand(ctx, f, args, output, nil)
	if err != nil {
		return err
	}
	w := s.watch()
	w.Limit = time.Duration(f.limit)
	if f.count > 0 {
		w.Sinks = append(w.Sinks, &counter{f.count})
	}
	a.present(w, s, out, "run "+strings.Join(args, " "))
	if w.Dashboard != nil {
		w.Dashboard.Output = lines.Lines
		cmd.ended = func(err error) { fmt.Fprintln(lines, endLine(cmd.name, err)) }
	}
	return a.runWith(ctx, w, s, cmd)
}

// endLine says how a command ended: in the dashboard, which stays, nothing else does.
func endLine(name string, err error) string {
	code := exitCode(err)
	if code > 128 {
		return fmt.Sprintf("[%s was ended by signal %d: %v]", name, code-128, syscall.Signal(code-128))
	}
	return fmt.Sprintf("[%s has ended with status %d]", name, code)
}

// openCommand holds the command and attaches to it. more, if it is not nil, changes what is asked for.
func (a *app) openCommand(ctx context.Context, f *watchFlags, args []string, output io.Writer, more func(*live.Config)) (*session, *command, error) {
	c, err := f.config()
	if err != nil {
		return nil, nil, err
	}
	path, err := lookCommand(args)
	if err != nil {
		return nil, nil, err
	}
	cmd, err := a.hold(path, args, output)
	if err != nil {
		return nil, nil, err
	}
	c.Held = uint32(cmd.PID)
	c.PIDs = append(c.PIDs, c.Held)
	if more != nil {
		more(&c)
	}
	s, err := a.open(ctx, c, f.verbose)
	if err != nil {
		cmd.Abandon()
		return nil, nil, err
	}
	return s, cmd, nil
}

// lastWords is how long the peers of a command that has ended have to close their ends of its connections.
const lastWords = 200 * time.Millisecond

// runWith says that everything is attached, lets the command begin, if there is one, and collects.
func (a *app) runWith(ctx context.Context, w *watch, s *session, cmd *command) error {
	if cmd == nil {
		a.say("%s", s.watching(""))
		return w.Run(ctx)
	}
	a.say("%s", s.watching(cmd.title()))
	if err := cmd.Release(); err != nil {
		s.Close()
		return err
	}
	w.Job = func(ctx context.Context) error {
		err := cmd.Wait(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(lastWords):
		}
		if cmd.ended != nil {
			cmd.ended(err)
		}
		return err
	}
	return w.Run(ctx)
}
