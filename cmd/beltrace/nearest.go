// SPDX-License-Identifier: Apache-2.0

package main

// nearest returns the candidate that takes the fewest edits to become name, and false if all are far from it.
func nearest(name string, candidates []string) (string, bool) {
	best, least := "", max(2, len(name)/2)+1
	for _, c := range candidates {
		if d := distance(name, c); d < least {
			best, least = c, d
		}
	}
	return best, best != ""
}

// didYouMean returns a question for an error line, or "" if no candidate is near.
func didYouMean(name string, candidates []string) string {
	if c, ok := nearest(name, candidates); ok {
		return ": did you mean " + c + "?"
	}
	return ""
}

// distance counts the letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
