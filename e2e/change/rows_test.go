package change

// Places that the edits change.
var (
	paths      = []string{"paths"}
	schemas    = []string{"components", "schemas"}
	eventTypes = schema("EventType", "enum")
	delivery   = schema("Delivery", "oneOf")
	mapping    = schema("Delivery", "discriminator", "mapping")
)

func schema(place ...string) []string { return append([]string{"components", "schemas"}, place...) }

// additions are additions to the contract. Each has a test of the same name in testdata/use that uses it, and each new event has one more.
var additions = map[string][]edit{
	"DeliveryGetsABoolean": {add("watermarked: {type: boolean, description: Whether it bears a mark.}", videoSucceeded...)},
	"DeliveryGetsItsIDElsewhere": {
		add("clip_id: {type: string, description: Identifies the motion where motion_id does not.}", "components", "schemas", "MotionSucceeded", "properties"),
		add("x-jogg-fallback: clip_id", "components", "schemas", "MotionSucceeded", "properties", "motion_id"),
	},
	"DeliveryGetsAnInt32": {add("scenes: {type: integer, format: int32, description: How many scenes it has.}", videoSucceeded...)},
	"DeliveryGetsANumber": {add("loudness: {type: number, description: 'How loud it is, in LUFS.'}", videoSucceeded...)},
	"DeliveryGetsANullable": {
		add("licence: {type: [string, 'null'], description: What may be done with it.}", videoSucceeded...),
		add("reviewed: {type: [boolean, 'null'], description: Whether somebody looked at it.}", videoSucceeded...),
		add("rank: {type: [integer, 'null'], description: Its place among others.}", videoSucceeded...),
	},
	"DeliveryGetsAnInlineObject": {add(`
dimensions:
  description: The size of its picture.
  type: object
  properties:
    width: {type: integer, description: 'How wide it is, in pixels.'}
    height: {type: integer, description: 'How high it is, in pixels.'}
`, videoSucceeded...)},
	"DeliveryGetsANamedObject": {
		add("intro: {$ref: '#/components/schemas/VideoChapter'}", videoSucceeded...),
		add(`
VideoChapter:
  description: A part of a video.
  type: object
  properties:
    title: {type: string, description: What it is called.}
    starts_at: {type: number, description: When it begins.}
    speaker: {$ref: '#/components/schemas/VideoSpeaker'}
VideoSpeaker:
  description: Who speaks in a part of a video.
  type: object
  properties:
    avatar_id: {type: [integer, string], x-go-type: int64, description: Identifies the avatar.}
    languages:
      description: The languages spoken.
      type: array
      items: {type: string}
`, schemas...),
	},
	"DeliveryGetsAListOfObjects": {add(`
chapters:
  description: Its parts, in order.
  type: array
  items: {$ref: '#/components/schemas/VideoChapter'}
`, videoSucceeded...)},
	"DeliveryGetsAMap": {add(`
labels:
  description: What the account labelled it with.
  type: object
  additionalProperties: {type: string}
`, videoSucceeded...)},
	"DeliveryGetsAUnion": {add(`
mixture:
  description: One of two objects.
  anyOf:
  - {$ref: '#/components/schemas/WebhookError'}
  - {$ref: '#/components/schemas/GeneratedScript'}
`, videoSucceeded...)},
	"DeliveryGetsAFreeFormValue": {add("extra: {description: Whatever the renderer has to say.}", videoSucceeded...)},

	"NewEventWithDataOfItsOwn": {
		add("- generated_podcast_success", eventTypes...),
		add("- $ref: '#/components/schemas/PodcastSucceededEvent'", delivery...),
		add("generated_podcast_success: '#/components/schemas/PodcastSucceededEvent'", mapping...),
		add(`
PodcastSucceededEvent:
  description: The envelope of a delivery about a podcast that is ready.
  type: object
  required: [event, timestamp, data]
  properties:
    event:
      type: string
      x-go-type: EventType
      description: The event type.
      enum: [generated_podcast_success]
    event_id: {type: [string, integer, 'null'], x-go-type: string, description: 'Identifies the event, the same in every redelivery.'}
    timestamp: {type: [integer, string], x-go-type: int64, description: When it happened.}
    data: {$ref: '#/components/schemas/PodcastSucceeded'}
PodcastSucceeded:
  description: The data of a delivery about a podcast that is ready.
  type: object
  properties:
    podcast_id: {type: [string, integer], x-go-type: string, description: Identifies the podcast.}
    podcast_url: {type: [string, 'null'], format: uri, description: Where the podcast can be downloaded.}
    explicit: {type: boolean, description: Whether it is not for children.}
`, schemas...),
	},
	"NewEventWithKnownData": {
		add("- generated_trailer_success", eventTypes...),
		add("generated_trailer_success", schema("VideoSucceededEvent", "properties", "event", "enum")...),
		add("generated_trailer_success: '#/components/schemas/VideoSucceededEvent'", mapping...),
	},
	"NewOperations": {
		add(`
/v2/podcasts:
  get:
    operationId: listPodcasts
    tags: [Video]
    summary: List podcasts
    description: >-
      Returns one page of the account's podcasts.
    parameters:
    - {$ref: '#/components/parameters/Page'}
    - {$ref: '#/components/parameters/PageSize'}
    responses:
      '200':
        description: One page of podcasts.
        content:
          application/json:
            schema:
              allOf:
              - {$ref: '#/components/schemas/Envelope'}
              - type: object
                properties:
                  data: {anyOf: [{$ref: '#/components/schemas/PodcastList'}, {type: 'null'}]}
      default: {$ref: '#/components/responses/Failure'}
  post:
    operationId: createPodcast
    tags: [Video]
    summary: Create a podcast
    description: >-
      Starts the recording of a podcast. The call consumes credits and returns at once.
    requestBody:
      required: true
      content:
        application/json:
          schema: {$ref: '#/components/schemas/CreatePodcastRequest'}
    responses:
      '200':
        description: The podcast was queued.
        content:
          application/json:
            schema:
              allOf:
              - {$ref: '#/components/schemas/Envelope'}
              - type: object
                properties:
                  data: {anyOf: [{$ref: '#/components/schemas/PodcastTask'}, {type: 'null'}]}
      default: {$ref: '#/components/responses/Failure'}
/v2/podcasts/{podcast_id}:
  get:
    operationId: getPodcast
    tags: [Video]
    summary: Read a podcast
    description: >-
      Tells how far a podcast has got and, once it is finished, where it can be downloaded.
    parameters:
    - name: podcast_id
      in: path
      required: true
      description: Identifies the podcast, as createPodcast returned it.
      schema: {type: string, minLength: 1}
    responses:
      '200':
        description: The podcast as it stands.
        content:
          application/json:
            schema:
              allOf:
              - {$ref: '#/components/schemas/Envelope'}
              - type: object
                properties:
                  data: {anyOf: [{$ref: '#/components/schemas/Podcast'}, {type: 'null'}]}
      default: {$ref: '#/components/responses/Failure'}
`, paths...),
		add(`
CreatePodcastRequest:
  description: The order for a podcast.
  type: object
  required: [title, speakers]
  properties:
    title: {type: string, minLength: 1, description: A name for the podcast.}
    speakers:
      description: Who speaks.
      type: array
      minItems: 1
      items: {type: integer, format: int64}
    explicit: {type: boolean, x-go-type-skip-optional-pointer: false, description: Whether it is not for children.}
    webhook_url: {type: string, format: uri, description: Where the outcome is delivered even if no endpoint is registered.}
PodcastTask:
  description: A podcast that was queued.
  type: object
  properties:
    podcast_id: {type: string, description: Identifies the podcast.}
Podcast:
  description: A podcast and how far it has got.
  type: object
  properties:
    podcast_id: {type: string, description: Identifies the podcast.}
    title: {type: string, description: The podcast's name.}
    status: {$ref: '#/components/schemas/TaskStatus'}
    podcast_url: {type: string, format: uri, description: 'Where the podcast can be downloaded, once it is finished.'}
    created_at: {type: integer, format: int64, description: When it was queued.}
    error: {anyOf: [{$ref: '#/components/schemas/TaskFailure'}, {type: 'null'}]}
PodcastList:
  description: A page of podcasts. Together, total, page and page_size tell where the list ends.
  type: object
  properties:
    podcasts:
      description: The podcasts on this page.
      type: array
      items: {$ref: '#/components/schemas/Podcast'}
    total: {type: integer, format: int64, description: How many podcasts the whole list holds.}
    page: {type: integer, description: 'The page returned, counted from 1.'}
    page_size: {type: integer, description: How many podcasts a page holds.}
`, schemas...),
	},
}

var videoSucceeded = schema("VideoSucceeded", "properties")

// breaking are breaking changes. After them, only lines that contain one of the names may fail to compile.
var breaking = map[string]struct {
	name string // in lower case
	edit edit
}{
	"OperationRemoved": {"translationlanguages", remove("paths", "/v2/video_translate/target_languages")},
	"FieldRenamed":     {"subtitleurl", rename("captions_url", schema("VideoTranslation", "properties", "subtitle_url")...)},
}

// faults are changes that no code can be generated from. The generator fails with a line that contains these words.
var faults = map[string]struct {
	words []string
	edits []edit
}{
	"EventWithoutEnvelope": {
		[]string{"generated_poem_success", "EventType"},
		[]edit{add("- generated_poem_success", eventTypes...)},
	},
	"EventThatIsNotListed": {
		[]string{"generated_poem_success", "EventType"},
		[]edit{
			add("generated_poem_success", schema("VideoSucceededEvent", "properties", "event", "enum")...),
			add("generated_poem_success: '#/components/schemas/VideoSucceededEvent'", mapping...),
		},
	},
	"ShapeThatCannotBeDecoded": {
		[]string{"VideoSucceeded", "price"},
		[]edit{add("price: {type: string, x-go-type: big.Rat, description: What it cost.}", videoSucceeded...)},
	},
}

// all returns the edits of all additions, in the order of their names.
func all() []edit {
	var edits []edit
	for _, name := range names(additions) {
		edits = append(edits, additions[name]...)
	}
	return edits
}
