// Package inbox keeps the events that JoggAI delivers until they have been handled.
package inbox
