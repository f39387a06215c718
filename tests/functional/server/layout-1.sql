BEGIN TRANSACTION;
CREATE TABLE jobs (
	number INTEGER NOT NULL, 
	id VARCHAR(36) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	attempts INTEGER NOT NULL, 
	token INTEGER NOT NULL, 
	mime_type VARCHAR(255) NOT NULL, 
	lease_owner VARCHAR(64), 
	lease_expires FLOAT, 
	result VARCHAR(64), 
	error TEXT, 
	created FLOAT NOT NULL, 
	finished FLOAT, 
	PRIMARY KEY (number), 
	UNIQUE (id)
);
INSERT INTO "jobs" VALUES(1,'aaaaaaaa-0000-4000-8000-000000000001','Complete',1,1,'text/csv; header=present',NULL,NULL,'aaaaaaaa-0000-4000-8000-000000000001-1',NULL,1700000000.0,1700000004.0);
INSERT INTO "jobs" VALUES(2,'bbbbbbbb-0000-4000-8000-000000000002','Error',1,1,'text/csv; header=present',NULL,NULL,NULL,'no good',1700000001.0,1700000004.0);
INSERT INTO "jobs" VALUES(3,'cccccccc-0000-4000-8000-000000000003','InProgress',1,1,'text/csv; header=present','gone',1700000019.0,NULL,NULL,1700000002.0,NULL);
INSERT INTO "jobs" VALUES(4,'dddddddd-0000-4000-8000-000000000004','Created',0,0,'text/csv; header=present',NULL,NULL,NULL,NULL,1700000003.0,NULL);
CREATE INDEX jobs_state_number ON jobs (state, number);
COMMIT;
