package simulator

import (
	"context"
	"encoding/json"
	"math"
	"strings"

	"github.com/jogg-go/jogg/gen"
)

// Speech and transcriptions. JoggAI documents neither the fields of their responses nor the spelling of their states. All fields besides
// the id and the status are the simulator's choice, named like those of documented operations. Fields that are null in a lip sync video
// until it has ended are null here too.

// billedMinutes returns the started minutes of audio, at least 1. The price is not documented, only that it depends on the duration.
func billedMinutes(seconds float64) float64 { return max(math.Ceil(seconds/60), 1) }

func (s server) SynthesizeSpeech(ctx context.Context, body gen.SynthesizeSpeechRequest) (*gen.SpeechTask, error) {
	length := max(speakingSeconds(body.Text), 0.4)
	t, err := s.begin(ctx, KindSpeech, taskSpec{text: body.Text, voiceID: body.VoiceID, seconds: length, units: billedMinutes(length)})
	if err != nil {
		return nil, err
	}
	return s.speech(t), nil
}

func (s server) GetSpeechTask(ctx context.Context, taskID string) (*gen.SpeechTask, error) {
	t, err := s.find(ctx, KindSpeech, taskID)
	if err != nil {
		return nil, err
	}
	return s.speech(t), nil
}

func (s *Simulator) speech(t *task) *gen.SpeechTask {
	more := s.outcomeFields(t)
	more["voice_id"] = t.spec.voiceID
	if t.succeeded() {
		more["audio_url"] = s.recording(t)
		more["subtitle_url"] = s.media("speech-subtitles", t.id, "srt")
		more["duration_seconds"] = t.seconds()
	}
	return &gen.SpeechTask{TaskID: t.id, Status: s.status(t), AdditionalProperties: rawFields(more)}
}

func (s *Simulator) recording(t *task) string { return s.media("speech", t.id, "wav") }

func (s server) TranscribeAudio(ctx context.Context, body gen.TranscribeAudioRequest) (*gen.TranscriptionTask, error) {
	t, err := s.begin(ctx, KindTranscription, taskSpec{
		text: s.transcriptOf(ctx, body.AudioURL), seconds: body.DurationSeconds, units: billedMinutes(body.DurationSeconds),
	})
	if err != nil {
		return nil, err
	}
	return s.transcription(t), nil
}

// transcriptOf returns the transcript of a recording: the text if the recording is speech of the account, or a fixed sentence.
func (s *Simulator) transcriptOf(ctx context.Context, url string) string {
	for _, t := range s.tasksOf(ctx, KindSpeech) {
		if t.succeeded() && s.recording(t) == url {
			return t.spec.text
		}
	}
	return "Hello, and welcome. This is what the recording says."
}

func (s server) GetTranscriptionTask(ctx context.Context, taskID string) (*gen.TranscriptionTask, error) {
	t, err := s.find(ctx, KindTranscription, taskID)
	if err != nil {
		return nil, err
	}
	return s.transcription(t), nil
}

func (s *Simulator) transcription(t *task) *gen.TranscriptionTask {
	more := s.outcomeFields(t)
	if t.succeeded() {
		more["text"] = t.spec.text
		more["segments"] = segments(t.spec.text, t.seconds())
		more["duration_seconds"] = t.seconds()
	}
	return &gen.TranscriptionTask{TaskID: t.id, Status: s.status(t), AdditionalProperties: rawFields(more)}
}

// segment is a sentence of a transcription.
type segment struct {
	Start float64 `json:"start"` // in seconds from the beginning
	End   float64 `json:"end"`
	Text  string  `json:"text"`
}

// segments splits a text into sentences, with durations in proportion to their lengths.
func segments(text string, length float64) []segment {
	var all []segment
	said := 0
	for sentence := range strings.SplitAfterSeq(text, ". ") {
		if sentence == "" {
			continue
		}
		start := length * float64(said) / float64(len(text))
		said += len(sentence)
		all = append(all, segment{Start: start, End: length * float64(said) / float64(len(text)), Text: strings.TrimSpace(sentence)})
	}
	return all
}

// outcomeFields returns the fields for when a task started, when it ended and why it failed.
func (s *Simulator) outcomeFields(t *task) map[string]any {
	fields := map[string]any{"created_at": t.created.Unix(), "completed_at": nil, "error": nil}
	if !t.ended.IsZero() {
		fields["completed_at"] = t.completedAt()
	}
	if t.reason != nil {
		fields["error"] = t.failure()
	}
	return fields
}

// rawFields encodes fields for the AdditionalProperties of a model.
func rawFields(fields map[string]any) map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(fields))
	for name, value := range fields {
		raw, _ := json.Marshal(value) // strings, numbers and structs of them: encoding never fails
		all[name] = raw
	}
	return all
}
