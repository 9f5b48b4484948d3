// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// app is the program: its streams and what every verb needs. Data goes to out, everything else to err.
type app struct {
	in  *os.File
	out io.Writer
	err io.Writer

	// killed are called by a second signal, just before the process ends.
	killed  []func()
	killing sync.Mutex // of killed
}

// main runs the command line and returns the exit code.
func (a *app) main(args []string) int {
	ctx, stop := a.signals()
	defer stop()
	root := a.rootCmd()
	help := &checked{Writer: a.out} // nobody else looks whether a help text could be written
	root.SetOut(help)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		err = help.err
	}
	if line := errorLine(err); line != "" {
		fmt.Fprintln(a.err, "beltrace:", line)
	}
	return exitCode(err)
}

// checked keeps the first error of its writes.
type checked struct {
	io.Writer
	err error
}

func (c *checked) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// signalled is the cause of a context that a signal ended.
type signalled struct{ sig syscall.Signal }

func (s signalled) Error() string { return "ended by " + s.sig.String() }

// signals returns a context that ends with the first signal. A second one ends the process at once: what is attached
// goes with it.
func (a *app) signals() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	got := make(chan os.Signal, 2)
	signal.Notify(got, endSignals()...)
	// A reader that went away is an error of a write. Ignoring the signal would pass on to the programs that we start.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case s := <-got:
			cancel(signalled{s.(syscall.Signal)})
		case <-done:
			return
		}
		select {
		case s := <-got:
			a.kill()
			os.Exit(128 + int(s.(syscall.Signal)))
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(got)
		signal.Stop(pipe)
		close(done)
		<-ended
		cancel(nil)
	}
}

// endSignals are the signals that end the program. A SIGHUP that was ignored when it started (nohup) stays ignored.
func endSignals() []os.Signal {
	end := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		end = append(end, syscall.SIGHUP)
	}
	return end
}

// onKill adds to what a second signal does before the process ends.
func (a *app) onKill(f func()) {
	a.killing.Lock()
	defer a.killing.Unlock()
	a.killed = append(a.killed, f)
}

// lastAct is how long a second signal may take: nobody may read what is said.
const lastAct = time.Second

func (a *app) kill() {
	done := make(chan struct{})
	go func() { // the process ends after it, or without
		defer close(done)
		a.killing.Lock()
		defer a.killing.Unlock()
		for _, f := range a.killed {
			f()
		}
	}()
	select {
	case <-done:
	case <-time.After(lastAct):
	}
}

// say writes a line for people.
func (a *app) say(format string, args ...any) {
	fmt.Fprintf(a.err, format+"\n", args...)
}
