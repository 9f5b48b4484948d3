// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// startVerb is the hidden verb of the process that becomes a command.
const startVerb = "__start"

// The files that a held process is given.
const (
	gateFile   = 3 // one byte on it lets the command begin
	failedFile = 4 // why it could not begin
)

// startCmd waits at the gate, becomes the invoking user, and then the command.
func startCmd() *cobra.Command {
	return &cobra.Command{
		Use:                startVerb + " USER PATH ARGS...",
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) < 3 {
				return usagef("%s is not for people", startVerb)
			}
			syscall.CloseOnExec(gateFile)
			syscall.CloseOnExec(failedFile)
			if n, _ := os.NewFile(gateFile, "gate").Read(make([]byte, 1)); n == 0 {
				return status(exitFailed) // the watcher is gone, or could not attach
			}
			err := become(args[0], args[1], args[2:])
			fmt.Fprint(os.NewFile(failedFile, "failed"), err)
			return status(exitFailed)
		},
	}
}

// become returns only if it fails.
func become(user, path string, args []string) error {
	if err := changeUser(user); err != nil {
		return fmt.Errorf("become the invoking user: %w", err)
	}
	if err := syscall.Exec(path, args, os.Environ()); err != nil {
		return (&exec.Error{Name: path, Err: err}).Err
	}
	return nil
}

// userWord writes a user for the command line: uid:gid,gid,... or "-" for no change.
func userWord(c *credential) string {
	if c == nil {
		return "-"
	}
	word := fmt.Sprintf("%d:%d", c.Uid, c.Gid)
	for _, g := range c.Groups {
		word += fmt.Sprintf(",%d", g)
	}
	return word
}

// changeUser gives up root for the user that the word names.
func changeUser(word string) error {
	if word == "-" {
		return nil
	}
	uidText, gidText, _ := strings.Cut(word, ":")
	uid, err := strconv.Atoi(uidText)
	if err != nil {
		return err
	}
	var gids []int
	for _, text := range strings.Split(gidText, ",") {
		gid, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		gids = append(gids, gid)
	}
	return setUser(uid, gids[0], gids[1:])
}
