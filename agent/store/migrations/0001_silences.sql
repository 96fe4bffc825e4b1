CREATE TABLE `silences` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`kind` text NOT NULL,
	`job` text,
	`rule` text NOT NULL,
	`subject` text NOT NULL,
	`owner` text NOT NULL,
	`reason` text NOT NULL,
	`until` integer NOT NULL,
	`created_at` integer NOT NULL,
	`ended_at` integer
);
--> statement-breakpoint
ALTER TABLE `findings` ADD `silenced` text;--> statement-breakpoint
ALTER TABLE `runs` ADD `inapplicable` text DEFAULT '[]' NOT NULL;