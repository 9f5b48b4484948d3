// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// grace is how long a command may take to end after it was told to, before it is killed.
const grace = 5 * time.Second

// command is a program that we start for the user, and watch. It exists, and has its pid, before it runs: what holds
// it is this program started again, which waits at a pipe and then becomes the command (see start.go).
type command struct {
	PID    int
	name   string
	cmd    *exec.Cmd
	gate   *os.File    // closing it without a byte ends the held process
	failed *os.File    // says why the command could not be started; closed by its start
	ended  func(error) // is told how it ended; nil: nobody is
}

// lookCommand checks that there is such a program, before anything is attached.
func lookCommand(args []string) (string, error) {
	path, err := exec.LookPath(args[0])
	word := args[0]
	if strings.TrimSpace(word) == "" {
		word = strconv.Quote(word)
	}
	switch {
	case err == nil || errors.Is(err, exec.ErrDot):
		return path, nil
	case errors.Is(err, exec.ErrNotFound):
		return "", usagef("%s: no such command", word)
	case errors.Is(err, os.ErrNotExist):
		return "", usagef("%s: no such file", word)
	}
	var reason *exec.Error
	if errors.As(err, &reason) {
		err = reason.Err
	}
	return "", usagef("%s: %v", word, err)
}

// hold makes the process that will become the command, as the invoking user. What it prints goes to out.
func (a *app) hold(path string, args []string, out io.Writer) (*command, error) {
	self, err := thisProgram()
	if err != nil {
		return nil, err
	}
	user, err := invokingUser()
	if err != nil {
		return nil, err
	}
	attr, err := ownGroup(nil)
	if err != nil {
		return nil, err
	}
	pipes, err := newPipes(2)
	if err != nil {
		return nil, err
	}
	gate, failed := pipes[0], pipes[1]
	defer gate.r.Close()
	defer failed.w.Close()
	cmd := exec.Command(self, slices.Concat([]string{startVerb, userWord(user), path}, args)...)
	cmd.Args[0] = "beltrace"
	cmd.Env = userEnv(user)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{gate.r, failed.w}
	// Keys typed at the terminal reach us alone, and we pass on what ends us; so the command is told once.
	cmd.SysProcAttr = attr
	if a.in != nil && !isTerminal(a.in) {
		cmd.Stdin = a.in // a terminal would stop it: it is not in the foreground
	}
	cmd.WaitDelay = time.Second // what it left behind may keep its output open
	if err := cmd.Start(); err != nil {
		gate.w.Close()
		failed.r.Close()
		return nil, fmt.Errorf("start %s: %w", args[0], err)
	}
	c := &command{PID: cmd.Process.Pid, name: args[0], cmd: cmd, gate: gate.w, failed: failed.r}
	a.onKill(func() { c.signal(syscall.SIGKILL) })
	return c, nil
}

// Abandon ends the held process, if it was not let go.
func (c *command) Abandon() {
	c.gate.Close()
	c.failed.Close()
	if c.cmd.ProcessState == nil {
		c.cmd.Wait()
	}
}

// Wait returns when the command has ended, with its status as an error. When ctx ends first, the command is told so;
// then only a status of its own choice is an error.
func (c *command) Wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { // ends with the command, which is waited for below
		defer close(ended)
		c.cmd.Wait() // its status is asked for below
	}()
	select {
	case <-ended:
		return c.status(false)
	case <-ctx.Done():
	}
	c.signal(endSignal(ctx))
	select {
	case <-ended:
	case <-time.After(grace):
		c.signal(syscall.SIGKILL)
		<-ended
	}
	return c.status(true)
}

// Release lets the held process become the command.
func (c *command) Release() error {
	_, err := c.gate.Write([]byte{1})
	c.gate.Close()
	if err != nil {
		c.cmd.Wait()
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	why, err := io.ReadAll(c.failed) // ends when the command begins
	c.failed.Close()
	if err == nil && len(why) > 0 {
		err = errors.New(string(why))
	}
	if err != nil {
		c.cmd.Wait()
		return fmt.Errorf("start %s: %w", c.name, err)
	}
	return nil
}

// signal tells the command and all that it started. An error means that all are gone.
func (c *command) signal(s syscall.Signal) { _ = killGroup(c.PID, s) }

// endSignal is the signal to pass on: the one that we got, if it was one.
func endSignal(ctx context.Context) syscall.Signal {
	var got signalled
	if errors.As(context.Cause(ctx), &got) {
		return got.sig
	}
	return syscall.SIGTERM
}

// status returns the command's exit status as an error, nil for 0. One that we told to end, and that ended by the
// signal, did as it should.
func (c *command) status(told bool) error {
	state := c.cmd.ProcessState
	if state == nil {
		return fmt.Errorf("wait for %s: no status", c.name)
	}
	code := state.ExitCode()
	if w, ok := state.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		code = 128 + int(w.Signal())
	}
	if code == 0 || told && code > 128 {
		return nil
	}
	return status(code)
}

// title is what stands in the watching line.
func (c *command) title() string { return fmt.Sprintf("%s (pid %d)", c.name, c.PID) }
