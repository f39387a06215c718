BEGIN TRANSACTION;
CREATE TABLE jobs (
	number INTEGER NOT NULL, 
	id VARCHAR(36) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	mime_type VARCHAR(255) NOT NULL, 
	mappings TEXT, 
	output_mappings TEXT, 
	idempotency_key VARCHAR(255), 
	lease_owner VARCHAR(64), 
	lease_expires FLOAT, 
	result VARCHAR(64), 
	error TEXT, 
	created FLOAT NOT NULL, 
	started FLOAT, 
	finished FLOAT, 
	callback_url TEXT, 
	callback_state VARCHAR(16), 
	callback_attempts INTEGER, 
	callback_due FLOAT, 
	callback_error TEXT, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "jobs" VALUES(1,'aaaaaaaa-0000-4000-8000-000000000001','Complete',1,1,'text/csv; header=present',NULL,NULL,'once',NULL,NULL,'aaaaaaaa-0000-4000-8000-000000000001-1',NULL,1700000000.0,1700000003.0,1700000004.0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES(2,'bbbbbbbb-0000-4000-8000-000000000002','Error',1,1,'text/csv; header=present',NULL,NULL,NULL,NULL,NULL,NULL,'no good',1700000001.0,1700000003.0,1700000004.0,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES(3,'cccccccc-0000-4000-8000-000000000003','InProgress',1,1,'text/csv; header=present',NULL,NULL,NULL,'gone',1700000019.0,NULL,NULL,1700000002.0,1700000004.0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "jobs" VALUES(4,'dddddddd-0000-4000-8000-000000000004','Created',0,0,'text/csv; header=present',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1700000003.0,NULL,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE owner (
	model VARCHAR(255) NOT NULL, 
	layout INTEGER NOT NULL, 
	PRIMARY KEY (model)
);
INSERT INTO "owner" VALUES('m',2);
CREATE UNIQUE INDEX jobs_idempotency_key ON jobs (idempotency_key);
CREATE INDEX jobs_callback_due ON jobs (callback_due);
CREATE INDEX jobs_state_number ON jobs (state, number);
COMMIT;
