"""Every limit on clients; docs/limits.md lists them for users.

Requests beyond are refused before the work, so that no client takes from others.
"""

KIB = 1024
MIB = 1024 * KIB

# Connections
#: Open at a time; at more, the one that has waited longest for its client is closed.
CONNECTIONS = 1024
#: Of the descriptors that the process may have, so many are not for connections.
OWN_DESCRIPTORS = 256
#: The first line and the headers of a request.
HEAD_BYTES = 32 * KIB
HEADERS = 100
#: Until a request's head is there: from its first byte, or from the beginning of the connection.
HEAD_SECONDS = 20.0
#: The same once the server has stopped listening.
LAST_HEAD_SECONDS = 1.0
#: A kept-alive connection between two requests: longer than the 60 s of common load balancers, which must close first.
IDLE_SECONDS = 65
#: A body brings at least so many bytes in so many seconds, or its end.
BODY_SECONDS = 60.0
BODY_BYTES = 16 * KIB
#: How long a client may leave an answer unread.
UNREAD_SECONDS = 60.0
#: How long a refused body is still read, so that the client gets to see the answer.
LINGER_SECONDS = 10.0
#: The longest that `?wait=` makes an answer wait: below the idle time of common load balancers.
WAIT_SECONDS = 50
#: The longest that /invocations waits: as long as SageMaker does for an asynchronous request.
INVOCATION_SECONDS = 3600
#: Requests that wait at a time; further ones are answered at once.
WAITING = 512
#: While so many wait, nobody waits beyond WAIT_SECONDS: of a client that listens, none can know whether it went away.
LONG_WAITING = 256

# Forms
PARTS = 100
PART_HEADERS = 32
PART_HEADER_BYTES = 16 * KIB
#: Of a field that is not a mapping.
FIELD_BYTES = 4 * KIB
MAPPING_BYTES = 256 * KIB
#: Of a form beyond its data file: fields, boundaries, headers.
FORM_BYTES = 2 * MIB
LICENSE_BYTES = 128 * KIB
#: Of the form of the login.
API_KEY_BYTES = 8 * KIB
KEY_CHARACTERS = 255
#: Of the name of a data file that is kept.
NAME_CHARACTERS = 120
CALLBACK_CHARACTERS = 2000
#: All uploads together hold so much in memory before they wait for the disk.
SPOOLED_BYTES = 32 * MIB

# Structured data
#: A record: an element of a JSON array, a row of CSV, or a JSON document that is no array.
RECORD_CHARACTERS = 16 * MIB
#: Values of a record of JSON, and of one that a mapping makes; twice as many may be read before it is noticed.
RECORD_VALUES = 500_000
COLUMNS = 16_384
#: Of a CSV with quotes, so much is looked at to count its rows while it comes.
COUNTED_QUOTED_BYTES = 8 * MIB
#: Larger data is checked and converted when its job is done, not while its client waits.
CHECKED_BYTES = 8 * MIB
#: Smaller data is converted by the server itself, larger by a process of its own.
QUICK_BYTES = 64 * KIB
#: The same of its bytes times one more than the fields of the schema and the rules of the mapping.
QUICK_COST = 1 * MIB
#: At this cost, and without a mapping, other requests wait while it is converted.
INSTANT_COST = 8 * KIB
#: Conversions at a time for clients that wait.
CONVERSIONS = 4

# Batches
#: A result of joined jobs up to this size is cut; the jobs of a larger one are run alone.
BATCH_RESULT_BYTES = 4 * MIB

# Inference: tensors in one document, which is in memory as a whole
INFERENCE_BYTES = 8 * MIB
INFERENCE_RESULT_BYTES = 32 * MIB
INFERENCE_ID_CHARACTERS = 255

# Pages
#: Of a result, so much is read for its page: of a larger one its head.
SHOWN_BYTES = 2 * MIB
#: Rows of a table that are looked at: `{}` is one, and each column is looked for in it.
READ_ROWS = 100_000
SHOWN_TEXT_BYTES = 16 * KIB
SHOWN_COLUMNS = 50
SHOWN_ROWS = 200
#: Results that are looked at for pages at a time.
VIEWS = 2
#: Jobs whose times the dashboard counts.
COUNTED_JOBS = 5000

# Mappings
RULES = 2000
PATH_CHARACTERS = 1000
PATH_STEPS = 32
#: An array is filled up to its index.
PATH_NUMBER = 100_000

# Jobs
#: An error text that is kept of a job.
ERROR_CHARACTERS = 8 * KIB
LISTED_JOBS = 500
#: A result of the self-proof is read so far beyond what is expected.
PROOF_BYTES = MIB

# Traces
#: Jobs whose requests are known until they are over, and characters of a path.
TRACED_JOBS = 10_000
TRACED_CHARACTERS = 1000

# Callbacks
CALLS = 32
CALLS_OF_A_RECEIVER = 4
#: The whole call, from the look-up of the name to the last header of the answer.
CALL_SECONDS = 10.0
CALL_ATTEMPTS = 10
